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

// Exports is what a package exports.
type Exports struct {
	Funcs map[string]any // by name
	Types []any          // new(T) for each type T that has methods
	// Good returns values that may stand in for arguments and receivers of their types.
	Good func() []any
	// Unheld are types, and patterns of methods such as "Engine.Bind*", that only machinery calls,
	// with what is there.
	Unheld []string
	// Panics says of functions and methods ("T.M") why they may panic.
	Panics map[string]string
	// Takes says of those that can fail why nothing is fine for an argument of a type, as
	// in "Open(context.Context)", or for a pointer whose method is called, as in "T.Close(*T)".
	Takes map[string]string
}

// T is what Check tells what it finds, a [testing.T].
type T interface {
	Helper()
	Errorf(format string, args ...any)
	Fatal(args ...any)
}

// Check calls every function and method of the package in the working directory: once with nothing
// at all, and for each of the arguments once with only that one missing. Methods are those of the
// zero value, of the nil pointer where they take one, and of the good value. Those that return an
// error have to return one where a pointer, an interface or a function is nil, and where the
// receiver is; those that return what has a method Valid, what is not. What is exported but not
// among e fails the test, as does a row of Panics or Takes that is of no use.
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
	declared map[string]bool // methods of types here; those of another package's that is embedded are its own
	panicked map[string]bool // which rows of Panics were needed
	took     map[string]bool // and of Takes
}

// complete reports which of the exported names no row has.
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

// base is the name of a type without its parameters.
func base(name string) string {
	name, _, _ = strings.Cut(name, "[")
	return name
}

// methods tries those of typ, and of pointers to it.
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

// call tries the function that f makes, anew for each call. Where it is a method of nil, receiver
// is the type of that.
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

// try calls f, whose arguments are nothing where missing says so, or where nothing better is known.
// Where typed is set, nothing in an interface is a nil pointer.
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

// pointer is a type of pointers that an interface may hold: to the good value, or to its like. The
// interfaces of the standard library are left out, for its own functions panic.
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

// lacking is the type of an argument, or of the receiver, where it is one of which nil may be
// nothing that a function can do with.
func lacking(typ reflect.Type) []string {
	switch typ.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Func:
		return []string{typ.String()}
	}
	return nil
}

// valid is what can be none, such as a node of a graph that has the error.
type valid interface{ Valid() bool }

// succeeded tells whether a function that can say that it failed, by an error or by what is not
// valid, did not.
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

// excuse looks for the reasons why a call may succeed though it lacks what is of these types.
func (c *checker) excuse(name, call string, lacks []string) {
	for _, typ := range lacks {
		what := name + "(" + typ + ")"
		if c.Takes[what] == "" {
			c.t.Errorf("%s succeeds without %s", call, typ)
		}
		c.took[what] = true
	}
}

// exported lists the functions of the package, and its types with methods as "T.". It notes the
// methods that are declared.
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

// described is the name of a function, "T." for a method, "" where T is not exported.
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
