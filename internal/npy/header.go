package npy

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// header is the dictionary in front of the elements.
type header struct {
	descr   string
	fortran bool
	shape   []int
}

// headerText is the header of an array, padded so that the elements begin at a multiple of 64 bytes.
func headerText(code string, dims []int) string {
	order := "<"
	if strings.HasSuffix(code, "1") {
		order = "|"
	}
	shape := ""
	for _, d := range dims {
		shape += strconv.Itoa(d) + ", "
	}
	if len(dims) > 1 {
		shape = strings.TrimSuffix(shape, ", ")
	}
	text := fmt.Sprintf("{'descr': '%s%s', 'fortran_order': False, 'shape': (%s), }", order, code, strings.TrimSuffix(shape, " "))
	const before = len(magic) + 4
	return text + strings.Repeat(" ", (64-(before+len(text)+1)%64)%64) + "\n"
}

// parseHeader reads a literal of Python such as {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }.
func parseHeader(text string) (h header, err error) {
	p := &parser{rest: text}
	seen := map[string]bool{}
	if !p.take("{") {
		return h, errors.New("want a dictionary")
	}
	for !p.take("}") {
		key, ok := p.quoted()
		if !ok || seen[key] || !p.take(":") {
			return h, fmt.Errorf("want a key, each once, at %q", p.here())
		}
		seen[key] = true
		switch key {
		case "descr":
			h.descr, ok = p.quoted()
		case "fortran_order":
			h.fortran, ok = p.boolean()
		case "shape":
			h.shape, ok = p.tuple()
		default:
			return h, fmt.Errorf("key %.20q is not known", key)
		}
		if !ok {
			return h, fmt.Errorf("%s is not valid at %q", key, p.here())
		}
		if !p.take(",") && !strings.HasPrefix(p.here(), "}") {
			return h, fmt.Errorf("want a comma at %q", p.here())
		}
	}
	switch {
	case p.here() != "":
		return h, fmt.Errorf("%q stands behind the dictionary", p.here())
	case len(seen) != 3:
		return h, errors.New("want descr, fortran_order and shape")
	}
	return h, nil
}

// parser reads a text from its start.
type parser struct{ rest string }

// here is what comes next, for errors.
func (p *parser) here() string {
	p.rest = strings.TrimLeft(p.rest, " \t\r\n")
	return p.rest[:min(len(p.rest), 20)]
}

func (p *parser) take(s string) bool {
	p.here()
	rest, ok := strings.CutPrefix(p.rest, s)
	p.rest = rest
	return ok
}

// quoted reads a string without escapes.
func (p *parser) quoted() (string, bool) {
	quote := "'"
	if !p.take(quote) {
		if quote = `"`; !p.take(quote) {
			return "", false
		}
	}
	s, rest, ok := strings.Cut(p.rest, quote)
	p.rest = rest
	return s, ok && !strings.Contains(s, `\`)
}

func (p *parser) boolean() (v, ok bool) {
	if p.take("True") {
		return true, true
	}
	return false, p.take("False")
}

// tuple reads extents: (), (2,) or (2, 3).
func (p *parser) tuple() ([]int, bool) {
	dims := []int{}
	if !p.take("(") {
		return nil, false
	}
	for !p.take(")") {
		n, ok := p.number()
		if !ok || len(dims) == maxAxes {
			return nil, false
		}
		dims = append(dims, n)
		if !p.take(",") && (len(dims) == 1 || !strings.HasPrefix(p.here(), ")")) {
			return nil, false // (2) is a number
		}
	}
	return dims, true
}

// number reads digits, with the L that Python 2 wrote behind some.
func (p *parser) number() (int, bool) {
	p.here()
	end := 0
	for end < len(p.rest) && p.rest[end] >= '0' && p.rest[end] <= '9' {
		end++
	}
	n, err := strconv.Atoi(p.rest[:end])
	p.rest = strings.TrimPrefix(p.rest[end:], "L")
	return n, err == nil
}
