package nothing

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// Exports is what a package exports.
type Exports struct {
	Funcs map[string]any // by name
	Types []any          // new(T) for each type T that has methods
	// Good returns values that may stand in for arguments and receivers of their types.
	Good   func() []any
	Unheld []string // types whose methods only machinery calls
	// Panics says of functions and methods ("T.M") why they may panic.
	Panics map[string]string
}

// Check calls every function and method of the package in the working directory: once with
// nothing at all, and for each of the arguments once with only that one missing. Methods are
// those of the zero value, of the nil pointer where they take one, and of the good value. What is
// exported but not among e fails the test.
func Check(t *testing.T, e Exports) {
	t.Helper()
	for name, f := range e.Funcs {
		e.call(t, name, func() reflect.Value { return reflect.ValueOf(f) })
	}
	known := map[string]bool{}
	for _, name := range e.Unheld {
		known[name] = true
	}
	for _, v := range e.Types {
		typ := reflect.TypeOf(v).Elem()
		known[base(typ.Name())] = true
		e.methods(t, typ)
	}
	for _, name := range exported(t) {
		typ, isMethod := strings.CutSuffix(name, ".")
		switch _, listed := e.Funcs[name]; {
		case isMethod && !known[typ]:
			t.Errorf("the methods of %s are not tried", typ)
		case !isMethod && !listed && e.Panics[name] == "":
			t.Errorf("%s is not tried", name)
		}
	}
}

// base is the name of a type without its parameters.
func base(name string) string {
	name, _, _ = strings.Cut(name, "[")
	return name
}

// methods tries those of typ, and of pointers to it.
func (e Exports) methods(t *testing.T, typ reflect.Type) {
	ptr := reflect.PointerTo(typ)
	for i := range ptr.NumMethod() {
		m := ptr.Method(i)
		name := base(typ.Name()) + "." + m.Name
		e.call(t, name, func() reflect.Value { return reflect.New(typ).Method(i) })
		if _, byValue := typ.MethodByName(m.Name); !byValue {
			e.call(t, name+" of nil", func() reflect.Value { return reflect.Zero(ptr).Method(i) })
		}
		if _, ok := e.good(ptr); ok {
			e.call(t, name+" of a good one", func() reflect.Value { v, _ := e.good(ptr); return v.Method(i) })
		} else if _, ok := e.good(typ); ok {
			e.call(t, name+" of a good one", func() reflect.Value { v, _ := e.good(typ); return v.MethodByName(m.Name) })
		}
	}
}

// good returns the good value of a type.
func (e Exports) good(typ reflect.Type) (reflect.Value, bool) {
	for _, g := range e.Good() {
		if v := reflect.ValueOf(g); v.Type() == typ || typ.Kind() == reflect.Interface && typ.NumMethod() > 0 && v.Type().Implements(typ) {
			return v, true
		}
	}
	return reflect.Value{}, false
}

// call tries the function that f makes, anew for each call.
func (e Exports) call(t *testing.T, name string, f func() reflect.Value) {
	plain, _, _ := strings.Cut(name, " ")
	if e.Panics[plain] != "" {
		return
	}
	typ := f().Type()
	e.try(t, name, f(), func(int) bool { return true })
	for missing := range typ.NumIn() {
		if _, ok := e.good(typ.In(missing)); ok || typ.NumIn() > 1 {
			e.try(t, name, f(), func(i int) bool { return i == missing })
		}
	}
}

// try calls f, whose arguments are nothing where missing says so, or where nothing better is known.
func (e Exports) try(t *testing.T, name string, f reflect.Value, missing func(i int) bool) {
	typ := f.Type()
	args := make([]reflect.Value, typ.NumIn())
	said := make([]string, len(args))
	for i := range args {
		in, last := typ.In(i), typ.IsVariadic() && i == len(args)-1
		if last {
			in = in.Elem()
		}
		args[i] = reflect.Zero(in)
		if v, ok := e.good(in); ok && !missing(i) {
			args[i] = v
		}
		said[i] = fmt.Sprintf("%T", args[i].Interface())
		if missing(i) {
			said[i] = "nothing"
		}
	}
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("%s(%s) panics: %v", name, strings.Join(said, ", "), p)
		}
	}()
	f.Call(args)
}

// exported lists the functions of the package, and its types with methods as "T.".
func exported(t *testing.T) (names []string) {
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), f.Name(), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Name.IsExported() {
				names = append(names, described(f))
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
