package serve

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"sync"

	"github.com/plexaura/plexaura/internal/rescue"
)

// buffers are memory for answers.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// respond writes the answer to c, which has run.
func (e *entry) respond(w http.ResponseWriter, c *call, ranked []class) error {
	memory := buffers.Get().(*[]byte)
	body, header, err := e.encode((*memory)[:0], c, ranked)
	if cap(body) <= maxKept {
		*memory = body
	}
	defer buffers.Put(memory)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	if header < len(body) {
		h.Set("Content-Type", "application/octet-stream")
		h.Set(headerLength, strconv.Itoa(header))
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // an error means that the client is gone
	return nil
}

// encode appends the answer to c. The JSON is the first header bytes of body.
func (e *entry) encode(to []byte, c *call, ranked []class) (body []byte, header int, err error) {
	to = append(to, `{"model_name":`...)
	to = appendText(to, e.name)
	to = append(to, `,"model_version":"`...)
	to = strconv.AppendInt(to, int64(c.version), 10)
	to = append(to, '"')
	if c.id != "" {
		to = append(to, `,"id":`...)
		to = appendText(to, c.id)
	}
	to = append(to, `,"outputs":[`...)
	for i, a := range c.answers {
		if i > 0 {
			to = append(to, ',')
		}
		if to, err = appendOutput(to, e.outputs[a.index], c, a); err != nil {
			return to, 0, err
		}
	}
	to = append(to, ']')
	if ranked != nil {
		to = append(to, `,"classes":`...)
		to = appendValue(to, ranked)
	}
	to = append(to, '}')
	header = len(to)
	for _, a := range c.answers {
		if a.binary {
			to = append(to, c.out[a.index]...)
		}
	}
	return to, header, nil
}

func appendOutput(to []byte, t Tensor, c *call, a answer) (_ []byte, err error) {
	d, out := t.Datatype.row(), c.out[a.index]
	to = append(to, `{"name":`...)
	to = appendText(to, t.Name)
	to = append(to, `,"datatype":"`...)
	to = append(to, d.name...)
	to = append(to, `","shape":[`...)
	for i, n := range c.outShapes[a.index] {
		if i > 0 {
			to = append(to, ',')
		}
		to = strconv.AppendInt(to, int64(n), 10)
	}
	if a.binary {
		to = append(to, `],"parameters":{"binary_data_size":`...)
		to = strconv.AppendInt(to, int64(len(out)), 10)
		return append(to, `}}`...), nil
	}
	to = append(to, `],"data":[`...)
	for i, width := 0, d.width; i < len(out); i += width {
		if i > 0 {
			to = append(to, ',')
		}
		if to, err = d.append(to, out[i:i+width]); err != nil {
			return to, refuse(http.StatusInternalServerError, "output %q: element %d is %v, for which JSON has no number; ask for it with binary_data", t.Name, i/width, err)
		}
	}
	return append(to, `]}`...), nil
}

func appendText(to []byte, s string) []byte { return appendValue(to, s) }

// appendValue adds a value that JSON has for sure.
func appendValue(to []byte, v any) []byte {
	b, _ := json.Marshal(v)
	return append(to, b...)
}

// class is one of the most probable classes of a picture.
type class struct {
	Name   string  `json:"name"`
	Index  int     `json:"index"`
	Number float32 `json:"probability"`
}

// maxRanked is how many classes the answer to a picture names.
const maxRanked = 5

// rank returns the most probable classes of a picture.
func (e *entry) rank(output []byte) (all []class, err error) {
	g := e.use()
	defer e.release(g)
	defer rescue.To(&err)
	numbers := make([]float32, len(output)/4)
	for i := range numbers {
		numbers[i] = math.Float32frombits(native.Uint32(output[4*i:]))
	}
	if numbers = g.model.(Classifier).Probabilities(numbers); len(numbers) != len(e.classes) {
		return nil, fmt.Errorf("the model gives %d probabilities for %d classes", len(numbers), len(e.classes))
	}
	for i, name := range e.classes {
		all = append(all, class{name, i, numbers[i]})
	}
	slices.SortStableFunc(all, func(a, b class) int { return cmp.Compare(b.Number, a.Number) })
	return all[:min(maxRanked, len(all))], nil
}
