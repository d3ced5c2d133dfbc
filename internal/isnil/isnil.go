package isnil

import "reflect"

// Of reports whether v is nil, or holds a nil pointer or function, so that calling a method would
// panic.
func Of(v any) bool {
	if v == nil {
		return true
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Pointer, reflect.Func:
		return r.IsNil()
	}
	return false
}
