package pytorch

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strings"

	"github.com/plexaura/plexaura/internal/plain"
)

// A storage is an array in the file, of which tensors are views.
type storage struct {
	key   string
	width int    // bytes of an element; 1 if it has no type
	dtype string // as safetensors names it, empty if it has no type
	len   int64  // elements
	at    int64  // where it begins in the file
	bytes int64  // its length in the file
}

// A view is a tensor.
type view struct {
	*storage
	dtype         string
	width         int
	offset        int64 // in elements
	size, strides []int64
}

// element is an element type of PyTorch.
type element struct {
	dtype string // as safetensors names it
	width int
}

// elements are those of PyTorch, by the name of their dtype.
var elements = map[string]element{
	"float32": {"F32", 4}, "float": {"F32", 4}, "float64": {"F64", 8}, "double": {"F64", 8}, "float16": {"F16", 2}, "half": {"F16", 2}, "bfloat16": {"BF16", 2},
	"int64": {"I64", 8}, "long": {"I64", 8}, "int32": {"I32", 4}, "int": {"I32", 4}, "int16": {"I16", 2}, "short": {"I16", 2}, "int8": {"I8", 1}, "uint8": {"U8", 1},
	"uint16": {"U16", 2}, "uint32": {"U32", 4}, "uint64": {"U64", 8}, "bool": {"BOOL", 1},
	"complex64": {"C64", 8}, "complex128": {"C128", 16}, "complex32": {"C32", 4},
	"float8_e4m3fn": {"F8_E4M3", 1}, "float8_e5m2": {"F8_E5M2", 1}, "float8_e4m3fnuz": {"F8_E4M3FNUZ", 1}, "float8_e5m2fnuz": {"F8_E5M2FNUZ", 1}, "float8_e8m0fnu": {"F8_E8M0", 1},
}

// storages are the classes of storages, by the dtype of their elements.
var storages = map[global]string{
	"torch.FloatStorage": "float32", "torch.DoubleStorage": "float64", "torch.HalfStorage": "float16", "torch.BFloat16Storage": "bfloat16",
	"torch.LongStorage": "int64", "torch.IntStorage": "int32", "torch.ShortStorage": "int16", "torch.CharStorage": "int8", "torch.ByteStorage": "uint8",
	"torch.BoolStorage": "bool", "torch.ComplexFloatStorage": "complex64", "torch.ComplexDoubleStorage": "complex128",
}

// elementOf returns the element type of a class of storages; none has none.
func elementOf(class any) (e element, ok bool) {
	g, _ := class.(global)
	if g == untyped {
		return element{width: 1}, true
	}
	name, ok := storages[g]
	return elements[name], ok
}

const untyped = global("torch.storage.UntypedStorage")

// calls are the functions that a pickle may call.
var calls = map[global]func(args tuple) (any, error){
	"collections.OrderedDict":                             newDict,
	"builtins.dict":                                       newDict,
	"__builtin__.dict":                                    newDict,
	"collections.defaultdict":                             func(tuple) (any, error) { return &dict{}, nil },
	"builtins.list":                                       newList,
	"builtins.set":                                        newList,
	"__builtin__.set":                                     newList,
	"_codecs.encode":                                      first, // of bytes, which protocol 2 has as a string
	"torch.Size":                                          first,
	"torch.device":                                        first,
	"torch._utils._rebuild_parameter":                     first,
	"torch._utils._rebuild_tensor":                        rebuild,
	"torch._utils._rebuild_tensor_v2":                     rebuild,
	"torch._utils._rebuild_tensor_v3":                     rebuildTyped,
	"torch._utils._rebuild_parameter_with_state":          first,
	"torch.serialization._get_layout":                     first,
	"torch.storage._load_from_bytes":                      nil, // a file in a file
	"torch._utils._rebuild_sparse_tensor":                 nil,
	"torch._utils._rebuild_qtensor":                       nil,
	"torch._utils._rebuild_meta_tensor_no_storage":        nil,
	"torch._utils._rebuild_wrapper_subclass":              nil,
	"torch._tensor._rebuild_from_type_v2":                 nil,
	"torch._utils._rebuild_device_tensor_from_numpy":      nil,
	"torch._utils._rebuild_device_tensor_from_cpu_tensor": nil,
}

// known reports whether g may be in a pickle.
func known(g global) bool {
	_, isDType := elements[strings.TrimPrefix(string(g), "torch.")]
	_, isStorage := elementOf(g)
	return calls[g] != nil || isStorage || isDType && strings.HasPrefix(string(g), "torch.")
}

// refused is the error about a name that is not known.
func refused(g global) error {
	if _, of := calls[g]; of {
		return fmt.Errorf("it has a tensor of a kind that is not supported: %s", plain.Name(string(g)))
	}
	return fmt.Errorf("it wants to call %s, which state dicts do not need and which is not done; save model.state_dict() instead of the model", plain.Name(string(g)))
}

// call returns the result of a function.
func call(f global, args tuple) (any, error) {
	if c := calls[f]; c != nil {
		return c(args)
	}
	return nil, refused(f)
}

func first(args tuple) (any, error) {
	if len(args) == 0 {
		return nil, errors.New("there is no argument")
	}
	return args[0], nil
}

// newDict makes a dict, of the items in its argument, if there is one. It takes them out of the list, so that
// a pickle cannot have them copied many times.
func newDict(args tuple) (any, error) {
	d := &dict{}
	if len(args) == 0 {
		return d, nil
	}
	pairs, ok := args[0].(*list)
	if !ok {
		return nil, fmt.Errorf("its argument is %s; want a list of items", kind(args[0]))
	}
	for _, p := range pairs.items {
		pair, ok := itemsOf(p)
		if !ok || len(pair) != 2 {
			return nil, fmt.Errorf("an item is %s; want a key and a value", kind(p))
		}
		d.set(pair[0], pair[1])
	}
	pairs.items = nil
	return d, nil
}

func newList(args tuple) (any, error) {
	if len(args) == 0 {
		return &list{}, nil
	}
	l, ok := args[0].(*list)
	if !ok {
		return nil, fmt.Errorf("its argument is %s; want a list", kind(args[0]))
	}
	return l, nil
}

// itemsOf returns the items of a list or a tuple.
func itemsOf(v any) ([]any, bool) {
	switch v := v.(type) {
	case *list:
		return v.items, true
	case tuple:
		return v, true
	}
	return nil, false
}

// rebuild returns a tensor, given a storage, an offset, the extents and the strides.
func rebuild(args tuple) (any, error) {
	if len(args) < 4 {
		return nil, fmt.Errorf("%d arguments; want a storage, an offset, extents and strides", len(args))
	}
	s, ok := args[0].(*storage)
	if !ok {
		return nil, fmt.Errorf("the storage is %s", kind(args[0]))
	}
	return newView(s, element{s.dtype, s.width}, args)
}

// rebuildTyped is rebuild for a storage of bytes. The element type is argument 6.
func rebuildTyped(args tuple) (any, error) {
	if len(args) < 7 {
		return nil, fmt.Errorf("%d arguments; want at least 7", len(args))
	}
	s, ok := args[0].(*storage)
	g, named := args[6].(global)
	e, known := elements[strings.TrimPrefix(string(g), "torch.")]
	if !ok || !named || !known {
		return nil, fmt.Errorf("the storage is %s, the element type %s", kind(args[0]), kind(args[6]))
	}
	return newView(s, e, args)
}

// maxAxes is the largest number of axes, as in PyTorch.
const maxAxes = 64

func newView(s *storage, e element, args tuple) (*view, error) {
	offset, ok := args[1].(int64)
	size, sized := ints(args[2])
	strides, strided := ints(args[3])
	switch {
	case !ok || !sized || !strided:
		return nil, fmt.Errorf("offset, extents and strides are %s, %s and %s", kind(args[1]), kind(args[2]), kind(args[3]))
	case len(size) != len(strides):
		return nil, fmt.Errorf("%d extents and %d strides", len(size), len(strides))
	case e.width == 0 || e.dtype == "":
		return nil, errors.New("the storage has no element type")
	}
	v := &view{storage: s, dtype: e.dtype, width: e.width, offset: offset, size: size, strides: strides}
	return v, v.check()
}

// ints returns a tuple or list of integers, one for each axis.
func ints(v any) ([]int64, bool) {
	items, ok := itemsOf(v)
	if !ok || len(items) > maxAxes {
		return nil, false
	}
	out := make([]int64, len(items))
	for i, x := range items {
		if out[i], ok = x.(int64); !ok {
			return nil, false
		}
	}
	return out, true
}

// maxExpanded is the largest number of elements of a tensor that has more of them than its storage:
// one that was expanded.
const maxExpanded = 1 << 16

// check returns an error if v is not within its storage.
func (v *view) check() error {
	last, n, err := v.extent()
	if err != nil {
		return err
	}
	have := v.storage.bytes / int64(v.width)
	switch {
	case n > 0 && last >= have:
		return fmt.Errorf("a tensor of %v with strides %v, from element %d, is not within its storage, of %d elements", v.size, v.strides, v.offset, have)
	case n > have && n > maxExpanded:
		return fmt.Errorf("a tensor of %v claims %d elements, and its storage has %d", v.size, n, have)
	}
	return nil
}

// extent returns the position of the last element in the storage, and the number of elements.
func (v *view) extent() (last, n int64, err error) {
	if v.offset < 0 {
		return 0, 0, fmt.Errorf("a tensor begins at element %d of its storage", v.offset)
	}
	last, n = v.offset, 1
	for i, extent := range v.size {
		if extent < 0 || v.strides[i] < 0 {
			return 0, 0, fmt.Errorf("a tensor has the extents %v and the strides %v", v.size, v.strides)
		}
		if extent == 0 {
			return last, 0, nil
		}
	}
	for i, extent := range v.size {
		high, count := bits.Mul64(uint64(n), uint64(extent))
		far, step := bits.Mul64(uint64(extent-1), uint64(v.strides[i]))
		if high > 0 || far > 0 || count > math.MaxInt64 || step > math.MaxInt64-uint64(last) {
			return 0, 0, fmt.Errorf("a tensor of %v with strides %v is too large", v.size, v.strides)
		}
		n, last = int64(count), last+int64(step)
	}
	return last, n, nil
}

// contiguous reports whether the elements lie in the order of their indices, without gaps.
func (v *view) contiguous() bool {
	want := int64(1)
	for i := len(v.size) - 1; i >= 0; i-- {
		if v.size[i] != 1 && v.strides[i] != want {
			return false
		}
		want *= v.size[i]
	}
	return true
}
