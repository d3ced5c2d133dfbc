package main

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/plexaura/plexaura/internal/npy"
	"github.com/plexaura/plexaura/internal/python"
	"github.com/plexaura/plexaura/interop/onnx"
)

//go:embed onnx_runtime.py
var runtimeScript string

// onnxRuntime is a process in which ONNX Runtime runs a file.
type onnxRuntime struct {
	version string
	outputs map[string]*onnx.Tensor

	folder  string
	cmd     *exec.Cmd
	asks    io.WriteCloser
	answers *json.Decoder
}

// errNoRuntime is why there is no ONNX Runtime.
type errNoRuntime struct{ error }

// answer is a line of the process.
type answer struct {
	Version string
	Outputs []string
	Seconds float64
	Error   string
}

// startRuntime has ONNX Runtime compute the outputs of a file. It is to be closed.
func startRuntime(ctx context.Context, path string, inputs map[string]*onnx.Tensor, threads int) (_ *onnxRuntime, err error) {
	interpreter, err := python.Find("numpy", "onnxruntime")
	if err != nil {
		return nil, errNoRuntime{fmt.Errorf("ONNX Runtime is not in Python; install it by pip install onnxruntime: %w", err)}
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	r := &onnxRuntime{outputs: map[string]*onnx.Tensor{}}
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	if r.folder, err = os.MkdirTemp("", "onnx"); err != nil {
		return nil, err
	}
	if err := r.writeInputs(inputs); err != nil {
		return nil, err
	}
	r.cmd = exec.CommandContext(ctx, interpreter, "-c", runtimeScript, path, r.folder, strconv.Itoa(threads))
	r.cmd.Dir = r.folder // which has no modules
	if r.asks, err = r.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	answers, err := r.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	r.answers = json.NewDecoder(bufio.NewReader(answers))
	if err := r.cmd.Start(); err != nil {
		return nil, err
	}
	return r, r.readOutputs()
}

func (r *onnxRuntime) writeInputs(inputs map[string]*onnx.Tensor) error {
	files := map[string]string{}
	for name, t := range inputs {
		file := fmt.Sprintf("input_%d.npy", len(files))
		files[name] = file
		if err := arrayOf(t).WriteFile(filepath.Join(r.folder, file)); err != nil {
			return err
		}
	}
	b, err := json.Marshal(files)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.folder, "inputs.json"), b, 0o666)
}

func (r *onnxRuntime) readOutputs() error {
	a, err := r.answer()
	if err != nil {
		return err
	}
	r.version = a.Version
	for i, name := range a.Outputs {
		v, err := npy.ReadFile(filepath.Join(r.folder, fmt.Sprintf("output_%d.npy", i)))
		if err != nil {
			return err
		}
		r.outputs[name] = tensorOf(v)
	}
	return nil
}

// answer reads a line.
func (r *onnxRuntime) answer() (a answer, err error) {
	if err := r.answers.Decode(&a); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("the process ended")
		}
		return a, fmt.Errorf("ONNX Runtime: %w", err)
	}
	if a.Error != "" {
		return a, fmt.Errorf("ONNX Runtime: %s", a.Error)
	}
	return a, nil
}

// time returns the seconds that a run takes, the mean of n.
func (r *onnxRuntime) time(n int) (float64, error) {
	if _, err := fmt.Fprintln(r.asks, n); err != nil {
		return 0, fmt.Errorf("ONNX Runtime: %w", err)
	}
	a, err := r.answer()
	return a.Seconds, err
}

// close ends the process.
func (r *onnxRuntime) close() {
	if r.cmd != nil && r.cmd.Process != nil {
		r.asks.Close()
		_ = r.cmd.Wait() // it has answered, or its error is told
	}
	if r.folder != "" {
		_ = os.RemoveAll(r.folder)
	}
}
