package serve

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
	"unsafe"
)

// maxDepth is how deep arrays and objects of a request may lie in each other.
const maxDepth = 32

// scanner reads JSON that is in memory. It neither copies numbers nor keeps them.
type scanner struct {
	b     []byte
	i     int
	depth int
}

func (s *scanner) errorf(format string, args ...any) error {
	return fmt.Errorf("byte %d of the JSON: %s", s.i, fmt.Sprintf(format, args...))
}

// peek returns the next byte that is not white space, or 0 at the end.
func (s *scanner) peek() byte {
	for s.i < len(s.b) {
		switch c := s.b[s.i]; c {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return c
		}
	}
	return 0
}

// take reads c.
func (s *scanner) take(c byte) error {
	if s.peek() != c {
		return s.errorf("want '%c', have %s", c, s.have())
	}
	s.i++
	return nil
}

// have describes what comes next.
func (s *scanner) have() string {
	c := s.peek()
	switch {
	case s.i >= len(s.b):
		return "its end"
	case c < utf8.RuneSelf:
		return strconv.QuoteRune(rune(c))
	}
	return fmt.Sprintf("the byte %#x", c)
}

// enter counts the depth. The value that was entered ends with leave.
func (s *scanner) enter(open byte) error {
	if err := s.take(open); err != nil {
		return err
	}
	if s.depth++; s.depth > maxDepth {
		return s.errorf("more than %d levels of arrays and objects", maxDepth)
	}
	return nil
}

// more reports whether an array or object has another element, of which i were read, and reads what
// stands before it, or the closing byte.
func (s *scanner) more(i int, end byte) (bool, error) {
	if s.peek() == end {
		s.i++
		s.depth--
		return false, nil
	}
	if i > 0 {
		return true, s.take(',')
	}
	return true, nil
}

// array calls each at each element, of which it counts at most most.
func (s *scanner) array(most int, each func() error) error {
	if err := s.enter('['); err != nil {
		return err
	}
	for i := 0; ; i++ {
		if more, err := s.more(i, ']'); err != nil || !more {
			return err
		}
		if i >= most {
			return s.errorf("more than %d elements", most)
		}
		if err := each(); err != nil {
			return err
		}
	}
}

// object calls each at the value of each key, which comes once.
func (s *scanner) object(each func(key string) error) error {
	if err := s.enter('{'); err != nil {
		return err
	}
	seen := make([]string, 0, 8)
	for i := 0; ; i++ {
		if more, err := s.more(i, '}'); err != nil || !more {
			return err
		}
		key, err := s.text()
		if err != nil {
			return err
		}
		if len(seen) == maxKeys {
			return s.errorf("an object of more than %d keys", maxKeys)
		}
		for _, k := range seen {
			if k == key {
				return s.errorf("the key %.40q stands twice in one object", key)
			}
		}
		seen = append(seen, key)
		if err := s.take(':'); err != nil {
			return err
		}
		if err := each(key); err != nil {
			return err
		}
	}
}

// maxKeys is how many keys an object may have.
const maxKeys = 64

// text reads a string.
func (s *scanner) text() (string, error) {
	if err := s.take('"'); err != nil {
		return "", err
	}
	plain := true
	for begin := s.i; s.i < len(s.b); s.i++ {
		switch c := s.b[s.i]; {
		case c == '"':
			s.i++
			if plain {
				return string(s.b[begin : s.i-1]), nil
			}
			var text string
			if err := json.Unmarshal(s.b[begin-1:s.i], &text); err != nil {
				return "", s.errorf("a string that is damaged")
			}
			return text, nil
		case c == '\\':
			plain = false
			s.i++
		case c < ' ':
			return "", s.errorf("a control character in a string")
		case c >= utf8.RuneSelf:
			plain = false
		}
	}
	return "", s.errorf("a string without an end")
}

// literal reads a number, true, false or null, without a copy: the result is valid as long as b.
func (s *scanner) literal() (string, error) {
	s.peek()
	begin := s.i
	for s.i < len(s.b) && isLiteral[s.b[s.i]] {
		s.i++
	}
	if s.i == begin {
		return "", s.errorf("want a number, have %s", s.have())
	}
	text := unsafe.String(&s.b[begin], s.i-begin)
	if !isNumber(text) && text != "true" && text != "false" && text != "null" {
		s.i = begin
		return "", s.errorf("%.40q is no number", text)
	}
	return text, nil
}

// isLiteral has the bytes that literals consist of.
var isLiteral = func() (is [256]bool) {
	for _, c := range "0123456789+-.eEaflnrstu" {
		is[c] = true
	}
	return is
}()

// isNumber reports whether s is a number of JSON, which strconv's are not all.
func isNumber(s string) bool {
	digits := func() bool {
		n := 0
		for n < len(s) && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		s = s[n:]
		return n > 0
	}
	if s != "" && s[0] == '-' {
		s = s[1:]
	}
	if len(s) > 1 && s[0] == '0' && s[1] >= '0' && s[1] <= '9' || !digits() {
		return false
	}
	if s != "" && s[0] == '.' {
		if s = s[1:]; !digits() {
			return false
		}
	}
	if s != "" && (s[0] == 'e' || s[0] == 'E') {
		if s = s[1:]; s != "" && (s[0] == '+' || s[0] == '-') {
			s = s[1:]
		}
		if !digits() {
			return false
		}
	}
	return s == ""
}

// whole reads a number that is an int and not negative.
func (s *scanner) whole(what string) (int, error) {
	text, err := s.literal()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || int64(int(n)) != n {
		return 0, s.errorf("%s is %.40s; want a whole number, not negative", what, text)
	}
	return int(n), nil
}

// truth reads true or false.
func (s *scanner) truth(what string) (bool, error) {
	text, err := s.literal()
	if err == nil && text != "true" && text != "false" {
		err = s.errorf("%s is %.40s; want true or false", what, text)
	}
	return text == "true", err
}

// skip reads any value.
func (s *scanner) skip() error {
	switch s.peek() {
	case '{':
		return s.object(func(string) error { return s.skip() })
	case '[':
		return s.array(len(s.b), s.skip)
	case '"':
		_, err := s.text()
		return err
	}
	_, err := s.literal()
	return err
}

// end reads white space, after which nothing may come.
func (s *scanner) end() error {
	if s.peek(); s.i < len(s.b) {
		return s.errorf("want its end, have %s", s.have())
	}
	return nil
}

// elements reads an array, which may lie in arrays of any depth, into dst, which it fills.
func (s *scanner) elements(t *datatype, dst []byte) error {
	width, total := t.width, len(dst)/t.width
	n := 0
	var each func() error
	each = func() error {
		if s.peek() == '[' {
			return s.array(len(s.b), each)
		}
		if n == total {
			return fmt.Errorf("more than %d elements", total)
		}
		text, err := s.literal()
		if err != nil {
			return err
		}
		if err := t.read(dst[n*width:][:width], text); err != nil {
			return s.errorf("%.40s %s", text, unfit(t, err))
		}
		n++
		return nil
	}
	if err := s.array(len(s.b), each); err != nil {
		return err
	}
	if n < total {
		return fmt.Errorf("%d elements, want %d", n, total)
	}
	return nil
}

// unfit says why a literal is no element.
func unfit(t *datatype, err error) string {
	if errors.Is(err, strconv.ErrRange) {
		return "does not fit in " + string(t.name)
	}
	return "is no " + string(t.name)
}
