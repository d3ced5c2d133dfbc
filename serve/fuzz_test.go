package serve

import (
	"encoding/binary"
	"math"
	"testing"
)

// everyType has an input of each element type.
func everyType() (all []Tensor) {
	for _, d := range datatypes {
		all = append(all, Tensor{string(d.name), d.name, []int{-1, 2}})
	}
	return all
}

// A body is decoded or refused, and whatever is accepted has the rows that it says, in memory that
// its limits bound, and is the same when it is written and read again.
func FuzzDecode(f *testing.F) {
	body, header := binaryBody(1, 2, 3)
	f.Add([]byte(body), header, false)
	f.Add([]byte(jsonBody(1, 2, 3)), len(jsonBody(1, 2, 3)), false)
	f.Add([]byte(`{"id":"é\n","parameters":{"binary_data_output":true,"timeout":5},"outputs":[{"name":"FP32","parameters":{"binary_data":false}}],"inputs":[`+
		`{"name":"FP32","datatype":"FP32","shape":[1,2],"data":[[1e-3,-0.0]]},{"name":"FP64","datatype":"FP64","shape":[1,2],"data":[1,2E+5]},`+
		`{"name":"INT32","datatype":"INT32","shape":[1,2],"data":[1,-2]},{"name":"INT64","datatype":"INT64","shape":[1,2],"data":[1,2]},`+
		`{"name":"UINT8","datatype":"UINT8","shape":[1,2],"data":[255,0]},{"name":"BOOL","datatype":"BOOL","shape":[1,2],"data":[true,false]}]}`), 1<<20, true)
	f.Fuzz(func(t *testing.T, body []byte, header int, every bool) {
		s := signature{inputs: (&fake{}).Inputs(), outputs: (&fake{}).Outputs(), batched: true}
		if every {
			s.inputs, s.outputs = everyType(), everyType()
		}
		reserved := 0
		d := decoder{s, 4, func(bytes int) error { reserved += bytes; return nil }}
		c := newCall()
		if d.decode(c, body, min(header, len(body))) != nil {
			return
		}
		if c.rows < 1 || c.rows > 4 || reserved > 1<<16 {
			t.Fatalf("%d rows, %d bytes", c.rows, reserved)
		}
		for i, in := range s.inputs {
			if n, _ := s.row(in); len(c.in[i]) != c.rows*n*in.Datatype.row().width {
				t.Fatalf("input %q of %d rows has %d bytes", in.Name, c.rows, len(c.in[i]))
			}
		}
		again(t, s, c)
	})
}

// again writes inputs of a call as outputs, and reads them.
func again(t *testing.T, s signature, c *call) {
	for i, in := range s.inputs {
		k := in.Datatype.row()
		back, width := make([]byte, len(c.in[i])), k.width
		if k.append == nil {
			continue
		}
		text := []byte("[")
		for at := 0; at < len(back); at += width {
			if at > 0 {
				text = append(text, ',')
			}
			var err error
			if text, err = k.append(text, c.in[i][at:at+width]); err != nil {
				return // not finite, as only bytes can say
			}
		}
		r := scanner{b: append(text, ']')}
		if err := r.elements(k, back); err != nil {
			t.Fatalf("%s: %v", r.b, err)
		}
		if string(back) != string(c.in[i]) {
			t.Fatalf("%s: % x is % x again", r.b, c.in[i], back)
		}
	}
}

// A byte that is no BOOL is refused: kernels count on 0 and 1.
func TestBytesOfABool(t *testing.T) {
	d := decoder{signature{inputs: []Tensor{{"b", BOOL, []int{-1, 2}}}, outputs: []Tensor{{"b", BOOL, []int{-1, 2}}}, batched: true}, 4, func(int) error { return nil }}
	header := `{"inputs":[{"name":"b","datatype":"BOOL","shape":[2,2],"parameters":{"binary_data_size":4}}]}`
	for tail, good := range map[string]bool{"\x00\x01\x01\x00": true, "\x00\x02\x01\x00": false} {
		c := newCall()
		if err := d.decode(c, []byte(header+tail), len(header)); (err == nil) != good {
			t.Errorf("% x: %v", tail, err)
		}
	}
}

// Numbers that JSON has, and no others, are read to the bits of Go's own parser.
func TestNumbersOfJSON(t *testing.T) {
	for _, good := range []string{"0", "-0", "1", "-12.5", "1e5", "1E+5", "1.25e-3", "0.1", "3.4028235e38"} {
		var b [4]byte
		s := scanner{b: []byte("[" + good + " ]")}
		if err := s.elements(&datatypes[0], b[:]); err != nil {
			t.Error(good, err)
		}
	}
	for _, bad := range []string{"", "+1", ".5", "1.", "1e", "1e+", "01", "-", "--1", "Infinity", "NaN", "0x1", "1_0", "1 2", "true", "1.e1", "e1", "-a"} {
		var b [4]byte
		s := scanner{b: []byte("[" + bad + "]")}
		if s.elements(&datatypes[0], b[:]) == nil {
			t.Error(bad, math.Float32frombits(binary.NativeEndian.Uint32(b[:])))
		}
	}
}
