package serve

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math/bits"
	"slices"
	"strconv"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/vm"
)

// ProgramOptions describe a compiled program as a [Model].
type ProgramOptions struct {
	// Outputs are the names of the outputs; by default "output", of several "output0", "output1", ...
	Outputs []string
	// Prepare and Classes, if they are set, make the Model a [Classifier].
	Prepare func(picture image.Image) ([]float32, error)
	Classes []string
}

// program is a Model of a compiled program with the values of a store.
type program struct {
	program         *vm.Program
	store           *vm.Store
	inputs, outputs []Tensor
	rows            []shape.Type // of the inputs
}

// classifier is a program that takes pictures.
type classifier struct {
	program
	prepare func(image.Image) ([]float32, error)
	classes []string
}

// NewProgram returns a Model that runs p with the values of s, which it only reads. The first axis of
// every input and output is the batch, and the rows of the batch do not depend on each other. Options
// of the compiler, such as [vm.WithThreads], are those that p was compiled with.
//
// A batch runs in parts of 1, 2, 4, ... rows, for which a Session is prepared when it is made, so that
// no Run allocates.
func NewProgram(p *vm.Program, s *vm.Store, o ProgramOptions) (Model, error) {
	m, err := newProgram(p, s, o)
	if err != nil {
		return nil, fmt.Errorf("serve: %w", err)
	}
	if o.Prepare == nil || len(o.Classes) == 0 {
		return m, nil
	}
	return &classifier{*m, o.Prepare, slices.Clone(o.Classes)}, nil
}

func newProgram(p *vm.Program, s *vm.Store, o ProgramOptions) (*program, error) {
	outs := p.Outputs()
	if len(outs) == 0 || s == nil {
		return nil, errors.New("no program or no store to serve; see vm.Compile and vm.NewStore")
	}
	m := &program{program: p, store: s}
	for _, n := range p.Inputs() {
		row, err := rowOf(n.Type())
		if err != nil {
			return nil, fmt.Errorf("input %q: %w", n.Name(), err)
		}
		m.inputs, m.rows = append(m.inputs, tensorOf(n.Name(), row)), append(m.rows, row)
	}
	if len(o.Outputs) > 0 && len(o.Outputs) != len(outs) {
		return nil, fmt.Errorf("%d names for %d outputs", len(o.Outputs), len(outs))
	}
	for i, t := range outs {
		name := "output"
		switch {
		case len(o.Outputs) > 0:
			name = o.Outputs[i]
		case len(outs) > 1:
			name += strconv.Itoa(i)
		}
		row, err := rowOf(t)
		if err != nil {
			return nil, fmt.Errorf("output %q: %w", name, err)
		}
		m.outputs = append(m.outputs, tensorOf(name, row))
	}
	return m, nil
}

// rowOf returns the type of a row of a batch of type t.
func rowOf(t shape.Type) (shape.Type, error) {
	if t.Rank() == 0 || t.Dim(0) != shape.N || !t.Drop(0).Concrete() {
		return t, fmt.Errorf("it is %v; want the batch as the first axis, and known extents behind it", t)
	}
	return t.Of(t.Drop(0)), nil
}

// tensorOf describes a batch of rows.
func tensorOf(name string, row shape.Type) Tensor {
	return Tensor{name, datatypeOf(row.DType), append([]int{-1}, row.Ints()...)}
}

// NewPredictor returns a Model of a trained network: its input, and as outputs "output" and, if it
// chooses among classes, "probabilities". If prepare is not nil, which returns the intensities of a
// picture, such as [mnist.Prepare] or those of [picture.Shorter], it is a [Classifier] too, and
// preprocesses as the network was trained. While p's weights are trained, requests fail; serve a
// snapshot.
//
// [mnist.Prepare]: https://pkg.go.dev/github.com/plexaura/plexaura/data/mnist#Prepare
// [picture.Shorter]: https://pkg.go.dev/github.com/plexaura/plexaura/data/picture#Shorter
func NewPredictor(p *train.Predictor, prepare func(picture image.Image) ([]float32, error)) (Model, error) {
	prog, store := p.Program()
	if prog == nil {
		return nil, errors.New("serve: the Predictor was not made by train.NewPredictor")
	}
	o, info := ProgramOptions{Outputs: []string{"output"}}, p.Info()
	if len(prog.Outputs()) > 1 {
		o.Outputs, o.Classes = append(o.Outputs, "probabilities"), info.Classes
	}
	if prepare != nil {
		o.Prepare = func(picture image.Image) ([]float32, error) {
			x, err := prepare(picture)
			if err == nil && len(x) == info.Input.Len() {
				info.Preprocess.Apply(x)
			}
			return x, err
		}
	}
	return NewProgram(prog, store, o)
}

func (p *program) Inputs() []Tensor  { return slices.Clone(p.inputs) }
func (p *program) Outputs() []Tensor { return slices.Clone(p.outputs) }
func (p *program) Batched() bool     { return true }
func (p *program) Close() error      { return nil }

func (c *classifier) Prepare(picture image.Image) ([]float32, error) { return c.prepare(picture) }
func (c *classifier) Classes() []string                              { return slices.Clone(c.classes) }
func (c *classifier) Probabilities(output []float32) []float32       { return output }

// sizesPerMachine is how many batch sizes a [vm.Machine] keeps ready.
const sizesPerMachine = 4

// programSession runs a batch in parts whose sizes are powers of two: a program is compiled for each
// size, and machines keep few of them ready.
type programSession struct {
	model    *program
	machines []*vm.Machine // for sizes 1 to 8, 16 to 128, ...
	rows     int
	in, out  [][]byte
	shapes   [][]int             // of the outputs of the last Run
	outRow   []int               // bytes of a row, by output
	views    [][][]*tensor.Dense // by the logarithm of the size and the number of the part: the inputs
}

// NewSession returns a session that has run each size once.
func (p *program) NewSession(rows int) (Session, error) {
	if rows < 1 {
		return nil, fmt.Errorf("serve: a session for batches of %d rows", rows)
	}
	s := &programSession{model: p}
	for _, row := range p.rows {
		s.in = append(s.in, engine.Aligned(rows*row.Bytes()))
	}
	for _, t := range p.outputs {
		n, _ := elementsOf(t.Shape[1:])
		row := n * t.Datatype.row().width
		s.out, s.outRow, s.shapes = append(s.out, make([]byte, rows*row)), append(s.outRow, row), append(s.shapes, slices.Clone(t.Shape))
	}
	for log := bits.Len(uint(rows)) - 1; log >= 0; log-- { // the largest first, which needs the most memory
		for len(s.machines) <= log/sizesPerMachine {
			m, err := p.program.NewMachine(p.store)
			if err != nil {
				return nil, err
			}
			s.machines = append(s.machines, m)
		}
		for len(s.views) <= log {
			s.views = append(s.views, make([][]*tensor.Dense, rows>>len(s.views)))
		}
		if err := s.part(context.Background(), 0, log); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *programSession) Input(i int, shape []int) ([]byte, error) {
	s.rows = shape[0]
	return s.in[i][:s.rows*s.model.rows[i].Bytes()], nil
}

func (s *programSession) Output(i int) ([]int, []byte) {
	s.shapes[i][0] = s.rows
	return s.shapes[i], s.out[i][:s.rows*s.outRow[i]]
}

func (s *programSession) Run(ctx context.Context) error {
	rows := s.rows
	for at := 0; at < rows; {
		log := min(bits.Len(uint(rows-at)), len(s.views)) - 1
		if err := s.part(ctx, at, log); err != nil {
			return err
		}
		at += 1 << log
	}
	return nil
}

// part runs 1<<log rows, of which at is the first.
func (s *programSession) part(ctx context.Context, at, log int) error {
	view := &s.views[log][at>>log]
	if *view == nil {
		*view = s.view(at, 1<<log)
	}
	outs, err := s.machines[log/sizesPerMachine].Run(ctx, *view...)
	if err != nil {
		return err
	}
	for i, d := range outs {
		copy(s.out[i][at*s.outRow[i]:], engine.BufferOfDense(d).Bytes())
	}
	return nil
}

// view returns rows rows of the inputs, of which at is the first.
func (s *programSession) view(at, rows int) (all []*tensor.Dense) {
	for i, row := range s.model.rows {
		n := row.Bytes()
		b := engine.BufferAt(s.in[i][at*n:(at+rows)*n], row.DType, rows*row.Len())
		all = append(all, engine.DenseOf(row.Insert(0, shape.Dim(rows)), b))
	}
	return all
}
