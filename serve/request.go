package serve

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/shape"
)

// message is the JSON of a request to infer, as it stands there.
type message struct {
	id       string
	inputs   []messageInput
	outputs  []messageOutput
	selected bool          // there is a list of outputs
	binary   bool          // outputs are bytes unless they say otherwise
	timeout  time.Duration // 0: none
}

type messageInput struct {
	name, datatype string
	shape          []int
	data           [2]int // where the array of elements stands; empty if there is none
	depth          int    // at which it stands
	size           int    // of its bytes after the JSON; -1 if they are not there
}

type messageOutput struct {
	name   string
	binary bool
	told   bool // binary was given
}

const (
	maxTensors = 256 // inputs or outputs in a request
	maxID      = 1 << 10
)

// parse reads the JSON of a request.
func parse(b []byte) (m message, err error) {
	s := scanner{b: b}
	err = s.object(func(key string) (err error) {
		switch key {
		case "id":
			if m.id, err = s.text(); err == nil && len(m.id) > maxID {
				err = refuse(http.StatusBadRequest, "an id of more than %d bytes", maxID)
			}
			return err
		case "inputs":
			return s.array(maxTensors, func() error { return m.input(&s) })
		case "outputs":
			m.selected = true
			return s.array(maxTensors, func() error { return m.output(&s) })
		case "parameters":
			return m.parameters(&s)
		}
		return s.skip()
	})
	if err == nil {
		err = s.end()
	}
	return m, err
}

func (m *message) parameters(s *scanner) error {
	return s.object(func(key string) (err error) {
		switch key {
		case "binary_data_output":
			m.binary, err = s.truth(key)
		case "timeout":
			var micro int
			micro, err = s.whole(key)
			m.timeout = time.Duration(min(micro, int(maxTimeout/time.Microsecond))) * time.Microsecond
		case "sequence_id", "sequence_start", "sequence_end":
			err = refuse(http.StatusBadRequest, "parameter %q: models here keep nothing from one request to the next", key)
		default:
			err = s.skip()
		}
		return err
	})
}

func (m *message) input(s *scanner) error {
	in := messageInput{size: -1}
	err := s.object(func(key string) (err error) {
		switch key {
		case "name":
			in.name, err = s.text()
		case "datatype":
			in.datatype, err = s.text()
		case "shape":
			err = s.array(shape.MaxRank, func() error {
				d, err := s.whole("an extent of a shape")
				in.shape = append(in.shape, d)
				return err
			})
		case "data":
			s.peek()
			in.data[0], in.depth = s.i, s.depth
			err = s.skip()
			in.data[1] = s.i
		case "parameters":
			err = s.object(func(key string) (err error) {
				switch {
				case key == "binary_data_size":
					in.size, err = s.whole(key)
				case strings.HasPrefix(key, "shared_memory"):
					err = refuse(http.StatusBadRequest, "there is no shared memory here; send the elements of input %q as data", plain.Name(in.name))
				default:
					err = s.skip()
				}
				return err
			})
		default:
			err = s.skip()
		}
		return err
	})
	m.inputs = append(m.inputs, in)
	return err
}

func (m *message) output(s *scanner) error {
	var out messageOutput
	err := s.object(func(key string) (err error) {
		switch key {
		case "name":
			out.name, err = s.text()
		case "parameters":
			err = s.object(func(key string) (err error) {
				switch {
				case key == "binary_data":
					out.told = true
					out.binary, err = s.truth(key)
				case key == "classification" || strings.HasPrefix(key, "shared_memory"):
					err = refuse(http.StatusBadRequest, "outputs have no parameter %q here", key)
				default:
					err = s.skip()
				}
				return err
			})
		default:
			err = s.skip()
		}
		return err
	})
	m.outputs = append(m.outputs, out)
	return err
}

// answer is what a request wants back.
type answer struct {
	index  int // of the output
	binary bool
}

// decoder turns bodies into rows of a model's inputs.
type decoder struct {
	signature
	maxRows int
	reserve func(bytes int) error // asks for memory
}

// decode fills c with what the body of a request asks for. The JSON is the first header bytes, and
// what follows are elements as bytes. c keeps pointing into body.
func (d *decoder) decode(c *call, body []byte, header int) error {
	if header < 0 || header > len(body) {
		return refuse(http.StatusBadRequest, "%s is %d, the body has %d bytes", headerLength, header, len(body))
	}
	m, err := parse(body[:header])
	if err != nil {
		return err
	}
	c.id, c.timeout, c.rows, c.reserve = m.id, m.timeout, 0, d.reserve
	c.fit(len(d.inputs))
	if err := d.wanted(c, m); err != nil {
		return err
	}
	order, err := d.match(c, m)
	if err != nil {
		return err
	}
	if err := d.reserve(d.inputBytes(c) + c.rows*d.answerBytes(c.answers)); err != nil {
		return err
	}
	tail := body[header:]
	for k, in := range m.inputs {
		if tail, err = d.fill(c, order[k], in, body, tail); err != nil {
			return fmt.Errorf("input %q: %w", plain.Name(in.name), err)
		}
	}
	if len(tail) > 0 {
		return fmt.Errorf("%d bytes are left over behind the inputs", len(tail))
	}
	return nil
}

// wanted finds the outputs that are asked for.
func (d *decoder) wanted(c *call, m message) error {
	c.answers = c.answers[:0]
	if !m.selected || len(m.outputs) == 0 {
		for i, t := range d.outputs {
			if err := t.inForm(m.binary); err != nil {
				return err
			}
			c.answers = append(c.answers, answer{i, m.binary})
		}
		return nil
	}
	for _, out := range m.outputs {
		i := slices.IndexFunc(d.outputs, func(t Tensor) bool { return t.Name == out.name })
		if i < 0 {
			return fmt.Errorf("no output %q; there are %s", plain.Name(out.name), plain.Names(names(d.outputs), 8))
		}
		if slices.ContainsFunc(c.answers, func(a answer) bool { return a.index == i }) {
			return fmt.Errorf("output %q is asked for twice", plain.Name(out.name))
		}
		a := answer{i, out.binary || m.binary && !out.told}
		if err := d.outputs[i].inForm(a.binary); err != nil {
			return err
		}
		c.answers = append(c.answers, a)
	}
	return nil
}

// inForm returns an error if the output cannot be sent in a form.
func (t Tensor) inForm(binary bool) error {
	if binary || t.Datatype.row().append != nil {
		return nil
	}
	return fmt.Errorf("output %q is %s, which JSON does not carry; ask for it with binary_data", plain.Name(t.Name), t.Datatype)
}

// match finds the inputs of the model that those of the request are, by index, and their number of
// rows, which it sets.
func (d *decoder) match(c *call, m message) (order []int, err error) {
	given := make([]bool, len(d.inputs))
	for _, in := range m.inputs {
		i := slices.IndexFunc(d.inputs, func(t Tensor) bool { return t.Name == in.name })
		switch {
		case i < 0:
			return nil, fmt.Errorf("no input %q; there are %s", plain.Name(in.name), plain.Names(names(d.inputs), 8))
		case given[i]:
			return nil, fmt.Errorf("input %q is given twice", plain.Name(in.name))
		}
		given[i] = true
		order = append(order, i)
		if err := d.fits(c, i, in); err != nil {
			return nil, fmt.Errorf("input %q: %w", plain.Name(in.name), err)
		}
	}
	if i := slices.Index(given, false); i >= 0 {
		return nil, fmt.Errorf("input %q is missing", d.inputs[i].Name)
	}
	return order, nil
}

// fits compares an input of a request with input i of the model.
func (d *decoder) fits(c *call, i int, in messageInput) error {
	t := d.inputs[i]
	if in.datatype != string(t.Datatype) {
		return fmt.Errorf("its datatype is %q, want %s", plain.Name(in.datatype), t.Datatype)
	}
	if !t.admits(in.shape) {
		return fmt.Errorf("its shape is %v, want %v", in.shape, metaShape(t))
	}
	c.shapes[i] = append(c.shapes[i][:0], in.shape...)
	rows := 1
	if d.batched {
		rows = in.shape[0]
	}
	switch {
	case rows < 1 || rows > d.maxRows:
		return fmt.Errorf("it has %d rows; a request may have 1 to %d", rows, d.maxRows)
	case c.rows != 0 && rows != c.rows:
		return fmt.Errorf("it has %d rows, the input before it %d", rows, c.rows)
	}
	c.rows = rows
	if _, ok := elementsOf(in.shape); !ok {
		return fmt.Errorf("its shape is %v, which is too large", in.shape)
	}
	return nil
}

// admits reports whether a tensor of a request may have the shape.
func (t Tensor) admits(shape []int) bool {
	if t.Shape == nil {
		return true
	}
	return slices.EqualFunc(t.Shape, shape, func(want, have int) bool { return want == -1 || want == have })
}

// bytesOf returns the bytes of input i of a call.
func (d *decoder) bytesOf(c *call, i int) int {
	n, _ := elementsOf(c.shapes[i])
	return n * d.inputs[i].Datatype.row().width
}

func (d *decoder) inputBytes(c *call) (bytes int) {
	for i := range d.inputs {
		bytes += d.bytesOf(c, i)
	}
	return bytes
}

// fill takes the elements of input i from the JSON or from the bytes that follow, of which it returns
// the rest.
func (d *decoder) fill(c *call, i int, in messageInput, body, tail []byte) (rest []byte, err error) {
	n, t := d.bytesOf(c, i), d.inputs[i].Datatype.row()
	if in.size < 0 {
		if in.data[1] == 0 {
			return tail, fmt.Errorf("it has neither data nor binary_data_size")
		}
		if t.read == nil {
			return tail, fmt.Errorf("JSON does not carry %s; send it as bytes, with binary_data_size", t.name)
		}
		c.own[i] = grown(c.own[i], n)
		c.in[i] = c.own[i]
		s := scanner{b: body[:in.data[1]], i: in.data[0], depth: in.depth}
		return tail, s.elements(t, c.in[i])
	}
	switch {
	case in.data[1] != 0:
		return tail, fmt.Errorf("it has both data and binary_data_size")
	case in.size != n:
		return tail, fmt.Errorf("binary_data_size is %d, but %v %s take %d bytes", in.size, in.shape, t.name, n)
	case in.size > len(tail):
		return tail, fmt.Errorf("binary_data_size is %d, but %d bytes follow", in.size, len(tail))
	}
	c.in[i] = tail[:n:n]
	if t.name == BOOL && slices.ContainsFunc(c.in[i], func(b byte) bool { return b > 1 }) {
		return tail, fmt.Errorf("bytes of a BOOL are 0 or 1")
	}
	return tail[n:], nil
}

// answerBytes is about how many bytes a row of the answer takes: the outputs, and their text, as far as
// their sizes are known.
func (d *decoder) answerBytes(wanted []answer) (bytes int) {
	for _, a := range wanted {
		t := d.outputs[a.index]
		if n, known := d.row(t); known {
			bytes += n*t.Datatype.row().width + a.bytes(t, n)
		}
	}
	return bytes
}

// bytes is about how many bytes n elements take in the answer.
func (a answer) bytes(t Tensor, n int) int {
	const digits = 16 // of a number, with its comma
	if a.binary {
		return n * t.Datatype.row().width
	}
	return n * digits
}

// metaShape is the shape of a tensor as the protocol writes it. It has no way to say that the number of
// axes is not known.
func metaShape(t Tensor) []int {
	if t.Shape == nil {
		return []int{-1}
	}
	return t.Shape
}

// headerLength is the header that says how many bytes of a body are JSON.
const headerLength = "Inference-Header-Content-Length"

// headerOf returns how many bytes of a body of n bytes are JSON.
func headerOf(h http.Header, n int) (int, error) {
	text := h.Get(headerLength)
	if text == "" {
		return n, nil
	}
	header, err := strconv.Atoi(text)
	if err != nil || header < 0 || header > n {
		return 0, refuse(http.StatusBadRequest, "%s is %.40q, the body has %d bytes", headerLength, text, n)
	}
	return header, nil
}

// grown returns b with n elements, whose values do not matter.
func grown(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}
