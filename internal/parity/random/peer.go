package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os/exec"
	"strings"
	"sync"
)

// peer is a process of Python that computes with PyTorch. It is for one goroutine.
type peer struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	errors *tail
}

// newPeer starts the script serve.py.
func newPeer(ctx context.Context, interpreter, script string) (*peer, error) {
	p := &peer{cmd: exec.CommandContext(ctx, interpreter, script), errors: &tail{}}
	p.cmd.Stderr = p.errors
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReaderSize(out, 1<<16)
	return p, p.cmd.Start()
}

// close ends the process.
func (p *peer) close() error { return errors.Join(p.in.Close(), p.cmd.Wait()) }

// tail keeps the last line that is written.
type tail struct {
	mu   sync.Mutex
	line string
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if lines := strings.Split(strings.TrimSpace(string(b)), "\n"); lines[len(lines)-1] != "" {
		t.line = lines[len(lines)-1]
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.line
}

// request is what serve.py reads, see there.
type request struct {
	Inputs  []spec        `json:"inputs"`
	Steps   []stepRequest `json:"steps"`
	Leaves  int           `json:"leaves"`
	Order   int           `json:"order"`
	DY      int           `json:"dy"`
	Wrt     []int         `json:"wrt"`
	By      []int         `json:"by"`
	Samples int           `json:"samples"`
	Flush   bool          `json:"flush"`

	numbers [][]float64
}

type spec struct {
	DType string `json:"dtype"`
	Shape []int  `json:"shape"`
	Near  bool   `json:"near"`
}

type stepRequest struct {
	Op    string          `json:"op"`
	Attrs json.RawMessage `json:"attrs"`
	In    []int           `json:"in"`
}

// theirs is an output by PyTorch.
type theirs struct {
	shape  []int
	exact  []float64 // in float64
	single []float64 // in float32
	off    []float64 // how far its float32 is off, see serve.py
	moved  []float64 // how far rounded inputs move the result
	order  int       // 0 for the result, 1 for a gradient, 2 for one of gradients
	of     []int     // the shape of the result that this is a gradient of, or itself

	worst   float64 // of off and moved
	largest float64 // of exact
}

var (
	errUnsupported = errors.New("PyTorch refuses") // is wrapped by why
	errPeer        = errors.New("PyTorch's process")
)

// compute answers a request. Missing says what derivative PyTorch lacks, where there are fewer
// outputs.
func (p *peer) compute(r request) (outs []theirs, missing string, err error) {
	if err := p.send(r); err != nil {
		return nil, "", fmt.Errorf("%w: %w: %v", errPeer, err, p.errors)
	}
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w: %v", errPeer, err, p.errors)
	}
	var head struct {
		Outs           [][]int
		Missing, Error string
	}
	if err := json.Unmarshal(line, &head); err != nil {
		return nil, "", err
	}
	if head.Error != "" {
		return nil, "", fmt.Errorf("%w: %s", errUnsupported, head.Error)
	}
	for _, shape := range head.Outs {
		o := theirs{shape: shape}
		for _, v := range []*[]float64{&o.exact, &o.single, &o.off, &o.moved} {
			*v = make([]float64, product(shape))
			if err := binary.Read(p.out, binary.LittleEndian, *v); err != nil {
				return nil, "", err
			}
		}
		outs = append(outs, o)
	}
	return outs, head.Missing, nil
}

func (p *peer) send(r request) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	text = append(text, '\n')
	for i, v := range r.numbers {
		text = appendNumbers(text, r.Inputs[i].DType, v)
	}
	_, err = p.in.Write(text)
	return err
}

// appendNumbers appends numbers as an element type has them in memory.
func appendNumbers(b []byte, dtype string, v []float64) []byte {
	for _, x := range v {
		switch dtype {
		case "float64":
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
		case "int32":
			b = binary.LittleEndian.AppendUint32(b, uint32(int32(x)))
		case "int64":
			b = binary.LittleEndian.AppendUint64(b, uint64(int64(x)))
		default: // uint8 and bool
			b = append(b, byte(x))
		}
	}
	return b
}
