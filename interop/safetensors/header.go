package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/plexaura/plexaura/shape"
)

// header is the part of a file before the data.
type header struct {
	metadata map[string]string
	entries  []entry // sorted by name
	length   int64   // length of the header, including the 8 bytes before it
	data     int64   // length of the data
}

// entry describes a tensor. A header may have a million of them, so entries are small.
type entry struct {
	name, dtype string
	extents     []int64
	begin, end  int64 // position in the data
}

// tensor returns e without its data.
func (e entry) tensor() Tensor { return Describe(e.name, e.dtype, e.extents) }

// Describe returns a tensor without Data, given the name of its element type in a file, such as "F32", and its
// extents. Its Type is not Valid where we have no such type.
func Describe(name, dtype string, extents []int64) Tensor {
	t := Tensor{Name: name}
	known, _ := elementTypeOf(dtype)
	t.Type = shape.Type{DType: known.dtype, Shape: shapeOf(extents)}
	if _, err := t.Type.Size(); !t.Type.Valid() || err != nil {
		t.Type, t.Extents = shape.Type{}, extents
	}
	if t.DType() != dtype {
		t.Stored = dtype
	}
	return t
}

// shapeOf returns the shape with the given extents. If it is not supported, its Err is not nil.
func shapeOf(extents []int64) shape.Shape {
	dims := make([]shape.Dim, len(extents))
	for i, n := range extents {
		dims[i] = shape.Dim(n)
	}
	return shape.Of(dims...)
}

// readHeader reads the header from r, which has at least size bytes.
func readHeader(r io.Reader, size int64) (h header, err error) {
	var prefix [8]byte
	if _, err := io.ReadFull(r, prefix[:]); err != nil {
		return h, fmt.Errorf("no header: %w", truncated(err))
	}
	length := binary.LittleEndian.Uint64(prefix[:])
	if length > maxHeader {
		return h, fmt.Errorf("not a safetensors file: its header would have %d bytes", length)
	}
	text, err := take(r, int64(length), size)
	if err != nil {
		return h, fmt.Errorf("header of %d bytes: %w", length, err)
	}
	if err := h.parse(text); err != nil {
		return h, fmt.Errorf("header: %w", err)
	}
	h.length = int64(len(prefix)) + int64(length)
	if err := h.sort(); err != nil {
		return h, err
	}
	return h, h.layout()
}

// sort sorts the entries by name, and checks that names are unique.
func (h *header) sort() error {
	slices.SortFunc(h.entries, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	for i := range len(h.entries) - 1 {
		if name := h.entries[i].name; name == h.entries[i+1].name {
			return fmt.Errorf("header: key %q is given twice", name)
		}
	}
	return nil
}

// layout computes the length of the data, which the tensors must fill without overlap or gap.
func (h *header) layout() error {
	places := make([]int32, len(h.entries))
	for i := range places {
		places[i] = int32(i)
	}
	slices.SortFunc(places, func(i, j int32) int {
		a, b := &h.entries[i], &h.entries[j]
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end), cmp.Compare(i, j))
	})
	for _, i := range places {
		switch e := h.entries[i]; {
		case e.begin < h.data:
			return fmt.Errorf("tensor %q: its data, from %d, overlap others, up to %d", e.name, e.begin, h.data)
		case e.begin > h.data:
			return fmt.Errorf("tensor %q: no tensor has the bytes %d to %d before it", e.name, h.data, e.begin)
		default:
			h.data = e.end
		}
	}
	return nil
}

// parse parses the header's text. Its errors name the tensor.
func (h *header) parse(text []byte) error {
	if len(text) == 0 || text[0] != '{' || !utf8.Valid(text) {
		return errors.New("not a safetensors file: want a JSON object in UTF-8")
	}
	p := parser{json.NewDecoder(bytes.NewReader(text)), replacements(text)}
	p.UseNumber()
	found := false
	err := p.object(func(key string) (err error) {
		if key != metadataKey {
			return h.add(p, key)
		}
		if found {
			return fmt.Errorf("key %q is given twice", key)
		}
		found = true
		h.metadata, err = p.strings()
		return err
	})
	if err != nil {
		return err
	}
	if _, err := p.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the JSON object")
	}
	return nil
}

// replacements reports whether text contains, literally or escaped, the rune that a decoder
// substitutes for invalid text.
func replacements(text []byte) bool {
	const escape = `\u`
	if bytes.ContainsRune(text, utf8.RuneError) {
		return true
	}
	for {
		_, rest, found := bytes.Cut(text, []byte(escape))
		if !found {
			return false
		}
		if len(rest) >= 4 && strings.EqualFold(string(rest[:4]), "fffd") {
			return true
		}
		text = rest
	}
}

// add parses a tensor with the given name.
func (h *header) add(p parser, name string) error {
	e := entry{name: name}
	if err := p.entry(&e); err != nil {
		return fmt.Errorf("tensor %q: %w", name, err)
	}
	h.entries = append(h.entries, e)
	return nil
}

// parser parses JSON of a known structure. Unlike json.Unmarshal it detects duplicate keys.
type parser struct {
	*json.Decoder
	replaced bool // the text contains the rune that a decoder substitutes for invalid text
}

// entryKeys are the keys that a tensor must have. Other keys are ignored, as by the reference
// implementation, because the format may be extended.
var entryKeys = []string{"dtype", "shape", "data_offsets"}

// entry parses the description of a tensor.
func (p parser) entry(e *entry) error {
	var offsets []int64
	var seen [3]bool
	err := p.object(func(key string) (err error) {
		i := slices.Index(entryKeys, key)
		switch {
		case i < 0:
			err = p.skip()
		case seen[i]:
			return fmt.Errorf("key %q is given twice", key)
		case i == 0:
			e.dtype, err = p.string()
		case i == 1:
			e.extents, err = p.ints()
		default:
			offsets, err = p.ints()
		}
		if i >= 0 {
			seen[i] = true
		}
		if err != nil {
			err = fmt.Errorf("%s: %w", shown(key), err)
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case seen != [3]bool{true, true, true}:
		return errors.New("want dtype, shape and data_offsets")
	case len(offsets) != 2:
		return fmt.Errorf("data_offsets are %d numbers; want a begin and an end", len(offsets))
	case offsets[0] > offsets[1]:
		return fmt.Errorf("data_offsets are %v; want a begin and an end", offsets)
	}
	e.begin, e.end = offsets[0], offsets[1]
	return e.check()
}

// check compares e with the size of its elements, if that is known, and makes entries share the
// name of their element type.
func (e *entry) check() error {
	known, ok := elementTypeOf(e.dtype)
	if !ok {
		return nil
	}
	e.dtype = known.name
	want, err := known.size(e.extents)
	if err == nil && e.end-e.begin != want {
		err = fmt.Errorf("data_offsets span %d bytes; %s%v has %d", e.end-e.begin, e.dtype, e.extents, want)
	}
	return err
}

// object parses an object, calling value to parse the value of each key.
func (p parser) object(value func(key string) error) error {
	if err := p.delim('{'); err != nil {
		return err
	}
	return p.members(value)
}

// members parses an object after its opening brace.
func (p parser) members(value func(key string) error) error {
	for p.More() {
		key, err := p.string()
		if err != nil {
			return err
		}
		if err := value(key); err != nil {
			return err
		}
	}
	return p.delim('}')
}

// strings parses an object of strings, or null.
func (p parser) strings() (m map[string]string, err error) {
	t, err := p.Token()
	if err != nil || t == nil {
		return nil, err
	}
	if t != json.Delim('{') {
		return nil, fmt.Errorf("%s: found %s; want an object of strings", metadataKey, shown(t))
	}
	m = map[string]string{}
	err = p.members(func(key string) error {
		if _, twice := m[key]; twice {
			return fmt.Errorf("key %q is given twice", key)
		}
		m[key], err = p.string()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", metadataKey, err)
	}
	return m, nil
}

// maxAxes is the largest number of axes, as in other libraries.
const maxAxes = 64

// ints parses an array of non-negative integers.
func (p parser) ints() (s []int64, err error) {
	if err := p.delim('['); err != nil {
		return nil, err
	}
	for p.More() {
		t, err := p.Token()
		if err != nil {
			return nil, err
		}
		number, _ := t.(json.Number)
		n, err := strconv.ParseUint(number.String(), 10, 63) // rejects -0
		if err != nil {
			return nil, fmt.Errorf("%s is not a number from 0 to 2^63-1", shown(t))
		}
		if len(s) == maxAxes {
			return nil, fmt.Errorf("more than %d numbers", maxAxes)
		}
		s = append(s, int64(n))
	}
	return slices.Clip(s), p.delim(']')
}

// skip parses a value of any structure and drops it.
func (p parser) skip() error {
	for depth := 0; ; {
		t, err := p.Token()
		if err != nil {
			return err
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

// string parses a string. It rejects half of a surrogate pair, which is not valid text: the decoder
// would replace any such half by the same rune, so that different names would become equal.
func (p parser) string() (string, error) {
	t, err := p.Token()
	if err != nil {
		return "", err
	}
	s, ok := t.(string)
	if !ok {
		return "", fmt.Errorf("found %s; want a string", shown(t))
	}
	if !p.replaced && strings.ContainsRune(s, utf8.RuneError) {
		return "", fmt.Errorf("%q is half of a surrogate pair", s)
	}
	return s, nil
}

// shown formats a part of a file for a message; of a string it returns the beginning, in quotes.
func shown(t json.Token) string {
	const most = 40
	s, ok := t.(string)
	switch {
	case !ok:
		return fmt.Sprint(t)
	case slices.Contains(entryKeys, s):
		return s
	case len(s) > most:
		return fmt.Sprintf("%q...", s[:most])
	}
	return strconv.Quote(s)
}

func (p parser) delim(want json.Delim) error {
	t, err := p.Token()
	if err != nil {
		return err
	}
	if t != want {
		return fmt.Errorf("found %s; want %v", shown(t), want)
	}
	return nil
}
