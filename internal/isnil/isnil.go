package isnil

import "reflect"

// Of reports whether v is nil, or a nil pointer or function in an interface, of which a call of a
// method would panic.
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
