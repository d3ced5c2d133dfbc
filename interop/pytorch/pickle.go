package pytorch

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/plexaura/plexaura/internal/plain"
)

// The values of a pickle are nil, bool, int64, float64, string, raw bytes as []byte, and these.
type (
	tuple  []any
	list   struct{ items []any }
	dict   struct{ items []item } // in the order in which keys came; a later one replaces an earlier one
	global string                 // a name in Python, such as "torch.FloatStorage"
	mark   struct{}
	big    struct{ digits string } // an integer of more than 64 bits: its bytes
)

type item struct{ key, value any }

// set adds an item. Looking for earlier ones would take quadratic time; get takes the last.
func (d *dict) set(key, value any) { d.items = append(d.items, item{key, value}) }

// get returns the value of a key that is a string.
func (d *dict) get(key string) (any, bool) {
	for i := len(d.items) - 1; i >= 0; i-- {
		if d.items[i].key == key {
			return d.items[i].value, true
		}
	}
	return nil, false
}

// unpickler is a machine for the opcodes of pickles, of protocols 0 to 5, that state dicts need.
type unpickler struct {
	in    *bufio.Reader
	left  int64 // bytes that may still be read
	stack []any
	memo  map[int64]any
	// load returns the value of a persistent id.
	load func(id any) (any, error)
}

var errCutOff = errors.New("the pickle is cut off")

// unpickle runs one pickle, of at most limit bytes.
func unpickle(in *bufio.Reader, limit int64, load func(id any) (any, error)) (v any, read int64, err error) {
	u := &unpickler{in: in, left: limit, memo: map[int64]any{}, load: load}
	for {
		op, err := u.byte()
		if err != nil {
			return nil, 0, err
		}
		if op == opStop {
			v, err := u.pop()
			return v, limit - u.left, err
		}
		if err := u.do(op); err != nil {
			return nil, 0, fmt.Errorf("the pickle, byte %d: %w", limit-u.left-1, err)
		}
	}
}

const opStop = '.'

// do runs an instruction.
func (u *unpickler) do(op byte) error {
	f, ok := opcodes[op]
	if !ok {
		return fmt.Errorf("opcode %q is not one of state dicts", op)
	}
	return f(u)
}

// opcodes are the instructions, as pickletools of Python describes them.
var opcodes = map[byte]func(*unpickler) error{
	0x80: func(u *unpickler) error { return u.protocol() },
	0x95: func(u *unpickler) error { _, err := u.uint(8); return err }, // FRAME: how long it is

	'(':  func(u *unpickler) error { return u.push(mark{}) },
	'0':  func(u *unpickler) error { _, err := u.pop(); return err },
	'1':  func(u *unpickler) error { _, err := u.popMark(); return err },
	'2':  func(u *unpickler) error { v, err := u.top(); return u.pushed(v, err) },
	'N':  func(u *unpickler) error { return u.push(nil) },
	0x88: func(u *unpickler) error { return u.push(true) },
	0x89: func(u *unpickler) error { return u.push(false) },

	'I':  func(u *unpickler) error { v, err := u.decimal(); return u.pushed(v, err) },
	'L':  func(u *unpickler) error { v, err := u.decimal(); return u.pushed(v, err) },
	'J':  func(u *unpickler) error { v, err := u.uint(4); return u.pushed(int64(int32(v)), err) },
	'K':  func(u *unpickler) error { v, err := u.uint(1); return u.pushed(int64(v), err) },
	'M':  func(u *unpickler) error { v, err := u.uint(2); return u.pushed(int64(v), err) },
	0x8a: func(u *unpickler) error { v, err := u.long(1); return u.pushed(v, err) },
	0x8b: func(u *unpickler) error { v, err := u.long(4); return u.pushed(v, err) },
	'F':  func(u *unpickler) error { v, err := u.float(); return u.pushed(v, err) },
	'G':  func(u *unpickler) error { v, err := u.binaryFloat(); return u.pushed(v, err) },

	'V':  func(u *unpickler) error { v, err := u.line(); return u.pushed(v, err) },
	'X':  func(u *unpickler) error { v, err := u.text(4); return u.pushed(v, err) },
	'U':  func(u *unpickler) error { v, err := u.text(1); return u.pushed(v, err) },
	'T':  func(u *unpickler) error { v, err := u.text(4); return u.pushed(v, err) },
	0x8c: func(u *unpickler) error { v, err := u.text(1); return u.pushed(v, err) },
	0x8d: func(u *unpickler) error { v, err := u.text(8); return u.pushed(v, err) },
	'B':  func(u *unpickler) error { v, err := u.bytes(4); return u.pushed(v, err) },
	'C':  func(u *unpickler) error { v, err := u.bytes(1); return u.pushed(v, err) },
	0x8e: func(u *unpickler) error { v, err := u.bytes(8); return u.pushed(v, err) },

	']':  func(u *unpickler) error { return u.push(&list{}) },
	'l':  func(u *unpickler) error { v, err := u.popMark(); return u.pushed(&list{v}, err) },
	'a':  func(u *unpickler) error { v, err := u.pop(); return u.extend([]any{v}, err) },
	'e':  func(u *unpickler) error { v, err := u.popMark(); return u.extend(v, err) },
	0x8f: func(u *unpickler) error { return u.push(&list{}) }, // a set
	0x90: func(u *unpickler) error { v, err := u.popMark(); return u.extend(v, err) },
	0x91: func(u *unpickler) error { v, err := u.popMark(); return u.pushed(&list{v}, err) },
	')':  func(u *unpickler) error { return u.push(tuple(nil)) },
	't':  func(u *unpickler) error { v, err := u.popMark(); return u.pushed(tuple(v), err) },
	0x85: func(u *unpickler) error { v, err := u.popN(1); return u.pushed(tuple(v), err) },
	0x86: func(u *unpickler) error { v, err := u.popN(2); return u.pushed(tuple(v), err) },
	0x87: func(u *unpickler) error { v, err := u.popN(3); return u.pushed(tuple(v), err) },
	'}':  func(u *unpickler) error { return u.push(&dict{}) },
	'd':  func(u *unpickler) error { v, err := u.popMark(); return u.newDict(v, err) },
	's':  func(u *unpickler) error { v, err := u.popN(2); return u.setItems(v, err) },
	'u':  func(u *unpickler) error { v, err := u.popMark(); return u.setItems(v, err) },

	'p':  func(u *unpickler) error { k, err := u.index(); return u.remember(k, err) },
	'q':  func(u *unpickler) error { k, err := u.uint(1); return u.remember(int64(k), err) },
	'r':  func(u *unpickler) error { k, err := u.uint(4); return u.remember(int64(k), err) },
	0x94: func(u *unpickler) error { return u.remember(int64(len(u.memo)), nil) },
	'g':  func(u *unpickler) error { k, err := u.index(); return u.recall(k, err) },
	'h':  func(u *unpickler) error { k, err := u.uint(1); return u.recall(int64(k), err) },
	'j':  func(u *unpickler) error { k, err := u.uint(4); return u.recall(int64(k), err) },

	'c':  (*unpickler).global,
	0x93: (*unpickler).stackGlobal,
	'Q':  (*unpickler).persistent,
	'R':  (*unpickler).reduce,
	'b':  (*unpickler).build,
	0x81: (*unpickler).object,
	'i':  (*unpickler).instance,
}

func (u *unpickler) byte() (byte, error) {
	if u.left == 0 {
		return 0, errCutOff
	}
	b, err := u.in.ReadByte()
	if err != nil {
		return 0, cutOff(err)
	}
	u.left--
	return b, nil
}

func cutOff(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errCutOff
	}
	return err
}

// bytes returns bytes whose number is in the n bytes before them. Memory grows with what is there.
func (u *unpickler) bytes(n int) ([]byte, error) {
	length, err := u.uint(n)
	if err != nil {
		return nil, err
	}
	if length > uint64(u.left) {
		return nil, errCutOff
	}
	b, err := io.ReadAll(io.LimitReader(u.in, int64(length)))
	if err == nil && uint64(len(b)) < length {
		err = errCutOff
	}
	u.left -= int64(len(b))
	return b, err
}

func (u *unpickler) text(n int) (string, error) {
	b, err := u.bytes(n)
	return string(b), err
}

// uint returns a number of n bytes.
func (u *unpickler) uint(n int) (uint64, error) {
	var b [8]byte
	if int64(n) > u.left {
		return 0, errCutOff
	}
	if _, err := io.ReadFull(u.in, b[:n]); err != nil {
		return 0, cutOff(err)
	}
	u.left -= int64(n)
	return binary.LittleEndian.Uint64(b[:]), nil
}

// long returns an integer in two's complement, whose length is in the n bytes before it.
func (u *unpickler) long(n int) (any, error) {
	b, err := u.bytes(n)
	if err != nil {
		return nil, err
	}
	if len(b) > 8 {
		return big{string(b)}, nil
	}
	var v uint64
	for i, x := range b {
		v |= uint64(x) << (8 * i)
	}
	if unused := 64 - 8*len(b); unused < 64 {
		return int64(v<<unused) >> unused, nil
	}
	return int64(0), nil
}

// line returns a text up to the end of its line.
func (u *unpickler) line() (string, error) {
	var b strings.Builder
	for {
		c, err := u.byte()
		if err != nil || c == '\n' {
			return b.String(), err
		}
		b.WriteByte(c)
	}
}

// decimal returns an integer, or a bool, which is 00 or 01.
func (u *unpickler) decimal() (any, error) {
	s, err := u.line()
	switch {
	case err != nil:
		return nil, err
	case s == "00", s == "01":
		return s == "01", nil
	}
	v, err := strconv.ParseInt(strings.TrimSuffix(s, "L"), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%q is not an integer of 64 bits", plain.Name(s))
	}
	return v, nil
}

func (u *unpickler) index() (int64, error) {
	s, err := u.line()
	if err != nil {
		return 0, err
	}
	k, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%q is not an index", plain.Name(s))
	}
	return int64(k), nil
}

func (u *unpickler) float() (any, error) {
	s, err := u.line()
	if err != nil {
		return nil, err
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return nil, fmt.Errorf("%q is not a number", plain.Name(s))
	}
	return v, nil
}

func (u *unpickler) binaryFloat() (any, error) {
	var b [8]byte
	v, err := u.uint(8)
	binary.LittleEndian.PutUint64(b[:], v)
	return math.Float64frombits(binary.BigEndian.Uint64(b[:])), err
}

func (u *unpickler) protocol() error {
	const newest = 5
	v, err := u.uint(1)
	if err == nil && v > newest {
		err = fmt.Errorf("protocol %d; at most %d is known", v, newest)
	}
	return err
}

func (u *unpickler) push(v any) error {
	u.stack = append(u.stack, v)
	return nil
}

func (u *unpickler) pushed(v any, err error) error {
	if err != nil {
		return err
	}
	return u.push(v)
}

var errStack = errors.New("it takes a value that is not there")

func (u *unpickler) top() (any, error) {
	if len(u.stack) == 0 {
		return nil, errStack
	}
	return u.stack[len(u.stack)-1], nil
}

func (u *unpickler) pop() (any, error) {
	v, err := u.top()
	if err == nil {
		u.stack = u.stack[:len(u.stack)-1]
	}
	return v, err
}

// popN removes the last n values, and returns them in a slice of their own.
func (u *unpickler) popN(n int) ([]any, error) {
	at := len(u.stack) - n
	if at < 0 {
		return nil, errStack
	}
	v := append([]any(nil), u.stack[at:]...)
	u.stack = u.stack[:at]
	return v, nil
}

// popMark removes the values behind the last mark, and the mark.
func (u *unpickler) popMark() ([]any, error) {
	for i := len(u.stack) - 1; i >= 0; i-- {
		if u.stack[i] != any(mark{}) {
			continue
		}
		v, err := u.popN(len(u.stack) - i - 1)
		u.stack = u.stack[:i]
		return v, err
	}
	return nil, errStack
}

func (u *unpickler) extend(values []any, err error) error {
	if err != nil {
		return err
	}
	v, err := u.top()
	if err != nil {
		return err
	}
	l, ok := v.(*list)
	if !ok {
		return fmt.Errorf("it appends to %s", kind(v))
	}
	l.items = append(l.items, values...)
	return nil
}

func (u *unpickler) newDict(values []any, err error) error {
	if err != nil {
		return err
	}
	return u.pushedItems(&dict{}, values)
}

func (u *unpickler) pushedItems(d *dict, values []any) error {
	if err := d.setAll(values); err != nil {
		return err
	}
	return u.push(d)
}

func (u *unpickler) setItems(values []any, err error) error {
	if err != nil {
		return err
	}
	v, err := u.top()
	if err != nil {
		return err
	}
	d, ok := v.(*dict)
	if !ok {
		return fmt.Errorf("it sets an item of %s", kind(v))
	}
	return d.setAll(values)
}

// setAll sets items, of which values has keys and values in turn.
func (d *dict) setAll(values []any) error {
	if len(values)%2 != 0 {
		return errors.New("a key has no value")
	}
	for i := 0; i < len(values); i += 2 {
		d.set(values[i], values[i+1])
	}
	return nil
}

func (u *unpickler) remember(k int64, err error) error {
	if err != nil {
		return err
	}
	v, err := u.top()
	if err == nil {
		u.memo[k] = v
	}
	return err
}

func (u *unpickler) recall(k int64, err error) error {
	if err != nil {
		return err
	}
	v, ok := u.memo[k]
	if !ok {
		return fmt.Errorf("there is no value %d to recall", k)
	}
	return u.push(v)
}

// global pushes a name. Whether it may be called is seen when it is.
func (u *unpickler) global() error {
	module, err := u.line()
	if err != nil {
		return err
	}
	name, err := u.line()
	return u.named(module, name, err)
}

func (u *unpickler) stackGlobal() error {
	v, err := u.popN(2)
	if err != nil {
		return err
	}
	module, isText := v[0].(string)
	name, both := v[1].(string)
	if !isText || !both {
		return fmt.Errorf("a name is %s and %s", kind(v[0]), kind(v[1]))
	}
	return u.named(module, name, nil)
}

func (u *unpickler) named(module, name string, err error) error {
	if err != nil {
		return err
	}
	g := global(module + "." + name)
	if !known(g) {
		return refused(g)
	}
	return u.push(g)
}

// persistent replaces an id by the value that it stands for.
func (u *unpickler) persistent() error {
	id, err := u.pop()
	if err != nil {
		return err
	}
	v, err := u.load(id)
	return u.pushed(v, err)
}

// reduce replaces a function and its arguments by its result.
func (u *unpickler) reduce() error {
	v, err := u.popN(2)
	if err != nil {
		return err
	}
	f, named := v[0].(global)
	args, listed := v[1].(tuple)
	if !named || !listed {
		return fmt.Errorf("it calls %s with %s", kind(v[0]), kind(v[1]))
	}
	r, err := call(f, args)
	if err != nil {
		err = fmt.Errorf("%s: %w", f, err)
	}
	return u.pushed(r, err)
}

// build takes attributes of a dict, such as the _metadata of a state dict, and drops them.
func (u *unpickler) build() error {
	v, err := u.popN(2)
	if err != nil {
		return err
	}
	if _, ok := v[0].(*dict); !ok {
		return fmt.Errorf("it sets attributes of %s", kind(v[0]))
	}
	return u.push(v[0])
}

// object makes an object of a class without arguments, as protocol 2 does for an OrderedDict.
func (u *unpickler) object() error { return u.reduce() }

// instance is the opcode INST of protocol 0.
func (u *unpickler) instance() error {
	module, err := u.line()
	if err != nil {
		return err
	}
	name, err := u.line()
	if err != nil {
		return err
	}
	return refused(global(module + "." + name))
}

// kind says what a value is, for errors.
func kind(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		return "a bool"
	case int64, big:
		return "an integer"
	case float64:
		return "a float"
	case string:
		return "a string"
	case []byte:
		return "bytes"
	case tuple:
		return "a tuple"
	case *list:
		return "a list"
	case *dict:
		return "a dict"
	case global:
		return plain.Name(string(v))
	case *view:
		return "a tensor"
	case *storage:
		return "a storage"
	}
	return "a mark"
}
