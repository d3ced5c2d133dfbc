package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/interop/onnx"
)

// onnxSession reads a model and its inputs.
func onnxSession(path, engineName string, in onnxInputs) (*onnx.Model, *onnx.Session, map[string]*onnx.Tensor, error) {
	e, err := findEngine(engineName)
	if err != nil {
		return nil, nil, nil, err
	}
	m, err := onnx.ReadFile(path, onnx.Options{})
	if err != nil {
		return nil, nil, nil, err
	}
	inputs, err := in.tensors(m)
	if err != nil {
		return nil, nil, nil, err
	}
	s, err := m.NewSession(e, nil)
	return m, s, inputs, err
}

// onnxOutputs runs a model, and returns its inputs too.
func onnxOutputs(ctx context.Context, path, engineName string, in onnxInputs) (m *onnx.Model, inputs, outs map[string]*onnx.Tensor, err error) {
	m, s, inputs, err := onnxSession(path, engineName, in)
	if err != nil {
		return nil, nil, nil, err
	}
	outs, err = s.Run(ctx, inputs)
	return m, inputs, outs, err
}

// onnxRun computes the outputs of a file.
func onnxRun(ctx context.Context, c *call) error {
	in := c.pickInputs(0)
	dir := c.String("o", "", "write each output as a .npy file into this `folder`, which is made if it is missing")
	engineName := c.String("engine", "cpu", "one of "+list(engines()))
	path, err := c.only("file")
	if err != nil {
		return err
	}
	m, _, outs, err := onnxOutputs(ctx, path, *engineName, in)
	if err != nil {
		return err
	}
	if *dir != "" {
		if err := os.MkdirAll(*dir, 0o777); err != nil {
			return err
		}
	}
	taken := map[string]bool{}
	for _, o := range m.Outputs() {
		t := outs[o.Name]
		line := fmt.Sprintf("%s %v%s", plain.Name(o.Name), t, rangeOf(t.Numbers()))
		if *dir != "" {
			file := filepath.Join(*dir, fileOf(o.Name, taken))
			if err := arrayOf(t).WriteFile(file); err != nil {
				return err
			}
			line += ", " + plain.Name(file)
		}
		if _, err := fmt.Fprintln(c.stdout, line); err != nil {
			return err
		}
	}
	return nil
}

// rangeOf says what numbers there are: ": from 0.1 to 0.7, mean 0.2", or the number.
func rangeOf(v []float64) string {
	switch len(v) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf(": %.6g", v[0])
	}
	lo, hi, sum := math.Inf(1), math.Inf(-1), 0.0
	for _, x := range v {
		lo, hi, sum = min(lo, x), max(hi, x), sum+x
	}
	return fmt.Sprintf(": from %.6g to %.6g, mean %.6g", lo, hi, sum/float64(len(v)))
}

// fileOf returns a name for the file of an output, of letters, digits and some signs, that is not
// taken.
func fileOf(output string, taken map[string]bool) string {
	name := strings.Map(func(r rune) rune {
		if r < 128 && harmless(string(r)) && r != '/' && r != '\\' && r != ':' && r != '%' {
			return r
		}
		return '_'
	}, output)
	name = strings.TrimLeft(name, ".-")
	name = name[:min(len(name), 100)]
	if name == "" {
		name = "output"
	}
	base := name
	for k := 2; taken[strings.ToLower(name)]; k++ {
		name = fmt.Sprintf("%s_%d", base, k)
	}
	taken[strings.ToLower(name)] = true
	return name + ".npy"
}
