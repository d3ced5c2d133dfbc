package nothing

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"reflect"
	"slices"
	"strings"
)

// Exports lists the exported functions and types of a package.
type Exports struct {
	Funcs map[string]any // by name
	Types []any          // new(T) for each type T that has methods
	// Good returns valid values for arguments and receivers, by their types.
	Good func() []any
	// Unheld lists types, and patterns of methods such as "Engine.Bind*", that are only called
	// internally, with valid arguments.
	Unheld []string
	// Panics gives the reason why a function or method ("T.M") may panic.
	Panics map[string]string
	// Takes gives the reason why nil is valid for an argument of a function that can fail, as in
	// "Open(context.Context)", or for a pointer receiver, as in "T.Close(*T)".
	Takes map[string]string
}

// T is the part of a [testing.T] that Check needs.
type T interface {
	Helper()
	Errorf(format string, args ...any)
	Fatal(args ...any)
}

// Check calls every function and method of the package in the working directory: once with all
// arguments empty, and for each argument once with only that one empty. Methods are called on the
// zero value, on the nil pointer if they have a pointer receiver, and on the good value. Functions
// that return an error must return one if a pointer, interface, function or the receiver is nil;
// functions that return a value with a method Valid must return an invalid one. The test fails for
// exported names that are not in e, and for rows of Panics or Takes that are not needed.
func Check(t T, e Exports) {
	t.Helper()
	c := &checker{Exports: e, t: t, declared: map[string]bool{}, panicked: map[string]bool{}, took: map[string]bool{}}
	names := c.exported()
	for name, f := range e.Funcs {
		c.call(name, nil, func() reflect.Value { return reflect.ValueOf(f) })
	}
	for _, v := range e.Types {
		c.methods(reflect.TypeOf(v).Elem())
	}
	c.complete(names)
	for name := range e.Panics {
		if !c.panicked[name] {
			t.Errorf("%s never panics: its row in Panics is of no use", name)
		}
	}
	for what := range e.Takes {
		if !c.took[what] {
			t.Errorf("%s: its row in Takes is of no use", what)
		}
	}
}

type checker struct {
	Exports
	t        T
	declared map[string]bool // methods of types in this package, without those of embedded types of other packages
	panicked map[string]bool // rows of Panics that were needed
	took     map[string]bool // rows of Takes that were needed
}

// complete reports exported names without a row.
func (c *checker) complete(names []string) {
	known := map[string]bool{}
	for _, name := range c.Unheld {
		known[name] = true
	}
	for _, v := range c.Types {
		known[base(reflect.TypeOf(v).Elem().Name())] = true
	}
	for _, name := range names {
		typ, isMethod := strings.CutSuffix(name, ".")
		switch _, listed := c.Funcs[name]; {
		case isMethod && !known[typ]:
			c.t.Errorf("the methods of %s are not tried", typ)
		case !isMethod && !listed:
			c.t.Errorf("%s is not tried", name)
		}
	}
}

// base returns the name of a type without its parameters.
func base(name string) string {
	name, _, _ = strings.Cut(name, "[")
	return name
}

// methods tests the methods of typ, and of pointers to it.
func (c *checker) methods(typ reflect.Type) {
	ptr := reflect.PointerTo(typ)
	for i := range ptr.NumMethod() {
		m := ptr.Method(i)
		name := base(typ.Name()) + "." + m.Name
		if !c.declared[m.Name] || slices.ContainsFunc(c.Unheld, func(pattern string) bool { ok, _ := path.Match(pattern, name); return ok }) {
			continue
		}
		c.call(name, nil, func() reflect.Value { return reflect.New(typ).Method(i) })
		if _, byValue := typ.MethodByName(m.Name); !byValue {
			c.call(name, ptr, func() reflect.Value { return reflect.Zero(ptr).Method(i) })
		}
		for _, of := range []reflect.Type{ptr, typ} {
			if _, ok := c.good(of); ok {
				c.call(name, nil, func() reflect.Value { v, _ := c.good(of); return v.MethodByName(m.Name) })
				break
			}
		}
	}
}

// good returns the good value of a type.
func (c *checker) good(typ reflect.Type) (reflect.Value, bool) {
	for _, g := range c.Good() {
		if v := reflect.ValueOf(g); v.Type() == typ || typ.Kind() == reflect.Interface && typ.NumMethod() > 0 && v.Type().Implements(typ) {
			return v, true
		}
	}
	return reflect.Value{}, false
}

// call tests the function that f returns; f is called again for each test. For a method of a nil
// pointer, receiver is its type.
func (c *checker) call(name string, receiver reflect.Type, f func() reflect.Value) {
	typ := f().Type()
	c.try(name, receiver, f(), false, func(int) bool { return true })
	for missing := range typ.NumIn() {
		if _, ok := c.good(typ.In(missing)); ok || typ.NumIn() > 1 {
			c.try(name, receiver, f(), false, func(i int) bool { return i == missing })
			c.try(name, receiver, f(), true, func(i int) bool { return i == missing })
		}
	}
}

// try calls f. Its arguments are empty if missing says so, or if there is no good value. If typed
// is set, an empty interface holds a nil pointer.
func (c *checker) try(name string, receiver reflect.Type, f reflect.Value, typed bool, missing func(i int) bool) {
	typ := f.Type()
	args := make([]reflect.Value, typ.NumIn())
	var said, lacks []string
	if receiver != nil {
		said, lacks = append(said, "of nil"), append(lacks, lacking(receiver)...)
	}
	for i := range args {
		in := typ.In(i)
		if typ.IsVariadic() && i == len(args)-1 {
			in = in.Elem()
		}
		args[i] = reflect.Zero(in)
		if v, ok := c.good(in); ok && !missing(i) {
			args[i] = v
		}
		said = append(said, fmt.Sprintf("%T", args[i].Interface()))
		if missing(i) {
			said[len(said)-1] = "nothing"
			lacks = append(lacks, lacking(in)...)
			if typ, ok := c.pointer(in); ok && typed {
				args[i], said[len(said)-1] = reflect.Zero(typ), "nil of "+typ.String()
			}
		}
	}
	call := name + "(" + strings.Join(said, ", ") + ")"
	defer func() {
		if p := recover(); p != nil && c.Panics[name] == "" {
			c.t.Errorf("%s panics: %v", call, p)
		} else if p != nil {
			c.panicked[name] = true
		}
	}()
	if out := f.Call(args); succeeded(out) {
		c.excuse(name, call, lacks)
	}
}

// pointer returns a pointer type that an interface may hold: to the good value, or to a similar
// one. Interfaces of the standard library are left out, because its own functions panic.
func (c *checker) pointer(in reflect.Type) (reflect.Type, bool) {
	v, ok := c.good(in)
	if !ok || in.Kind() != reflect.Interface || !strings.Contains(in.PkgPath(), ".") {
		return nil, false
	}
	if v.Kind() == reflect.Pointer {
		return v.Type(), true
	}
	return reflect.PointerTo(v.Type()), true
}

// lacking returns the type of an argument or receiver if a nil value of it should make a function
// fail.
func lacking(typ reflect.Type) []string {
	switch typ.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Func:
		return []string{typ.String()}
	}
	return nil
}

// valid is a value that can be invalid, such as a node of a graph with an error.
type valid interface{ Valid() bool }

// succeeded reports whether a function that can fail, by an error or an invalid result, did not.
func succeeded(out []reflect.Value) bool {
	if len(out) == 0 {
		return false
	}
	switch last := out[len(out)-1].Interface().(type) {
	case valid:
		return last.Valid()
	case nil:
		return out[len(out)-1].Type() == reflect.TypeFor[error]()
	}
	return false
}

// excuse looks for the reasons why a call may succeed although arguments of these types are nil.
func (c *checker) excuse(name, call string, lacks []string) {
	for _, typ := range lacks {
		what := name + "(" + typ + ")"
		if c.Takes[what] == "" {
			c.t.Errorf("%s succeeds without %s", call, typ)
		}
		c.took[what] = true
	}
}

// exported lists the functions of the package, and its types with methods as "T.". It records the
// declared methods.
func (c *checker) exported() (names []string) {
	files, err := os.ReadDir(".")
	if err != nil {
		c.t.Fatal(err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), f.Name(), nil, parser.SkipObjectResolution)
		if err != nil {
			c.t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Name.IsExported() {
				names = append(names, described(f))
				c.declared[f.Name.Name] = c.declared[f.Name.Name] || f.Recv != nil
			}
		}
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(n string) bool { return n == "" })
}

// described returns the name of a function, "T." for a method, and "" if T is not exported.
func described(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return f.Name.Name
	}
	typ := f.Recv.List[0].Type
	for {
		switch x := typ.(type) {
		case *ast.StarExpr:
			typ = x.X
		case *ast.IndexExpr:
			typ = x.X
		case *ast.IndexListExpr:
			typ = x.X
		case *ast.Ident:
			if !x.IsExported() {
				return ""
			}
			return x.Name + "."
		default:
			return ""
		}
	}
}
