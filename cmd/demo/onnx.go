package main

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/interop/onnx"
	"github.com/plexaura/plexaura/interop/onnx/conformance"
)

// onnxCommands are the subcommands of "demo onnx".
func onnxCommands() []command {
	return []command{
		{"onnx info", "FILE", "inputs and outputs of an ONNX file, and what it needs that is not supported", onnxInfo, false},
		{"onnx run", "FILE", "compute the outputs of an ONNX file", onnxRun, false},
		{"onnx verify", "FILE", "compare what an ONNX file gives with ONNX Runtime, which Python must have", onnxVerify, false},
		{"onnx bench", "FILE", "time an ONNX file, in turn with ONNX Runtime where Python has it", onnxBench, false},
		{"onnx export", "", "write trained weights and their network as an ONNX file", onnxExport, false},
		{"onnx conformance", "DIR", "run ONNX's own tests, and count those that pass", onnxConformance, false},
	}
}

// onnxCommand runs the subcommand that the first argument names.
func onnxCommand(ctx context.Context, c *call) error {
	if len(c.args) == 0 {
		return usagef("want a subcommand: %s; see %s -h", onnxNames(), c.line(c.Name()))
	}
	for _, s := range onnxCommands() {
		if s.name == "onnx "+c.args[0] {
			c.cmd, c.args = s, c.args[1:]
			return s.run(ctx, c)
		}
	}
	if err := c.parse(true); err != nil {
		return err
	}
	return usagef("there is no subcommand %q: there are %s", plain.Name(c.args[0]), onnxNames())
}

// onnxNames lists the subcommands.
func onnxNames() string {
	var names []string
	for _, s := range onnxCommands() {
		names = append(names, strings.TrimPrefix(s.name, "onnx "))
	}
	return strings.Join(names, ", ")
}

// only parses the flags, which may be in front of the only argument and behind it.
func (c *call) only(what string) (string, error) {
	if err := c.parse(true); err != nil {
		return "", err
	}
	if c.NArg() == 0 {
		return "", usagef("want a %s; see %s -h", what, c.line(c.Name()))
	}
	arg := c.Arg(0)
	c.args = c.Args()[1:]
	return arg, c.parse(false)
}

// onnxInfo says what a file needs.
func onnxInfo(_ context.Context, c *call) error {
	path, err := c.only("file")
	if err != nil {
		return err
	}
	m, err := onnx.ReadFile(path, onnx.Options{})
	if err != nil {
		return err
	}
	producer, version := m.Producer()
	fmt.Fprintf(c.stdout, "producer %s %s, opset %d\n", plain.Name(producer), plain.Name(version), m.Opset(""))
	for _, in := range m.Inputs() {
		fmt.Fprintf(c.stdout, "input    %v\n", in)
	}
	for _, out := range m.Outputs() {
		fmt.Fprintf(c.stdout, "output   %v\n", out)
	}
	missing := m.Missing()
	for _, op := range missing {
		fmt.Fprintf(c.stdout, "not supported: %v\n", op)
	}
	if len(missing) > 0 {
		return fmt.Errorf("%d operators are not supported", len(missing))
	}
	return nil
}

// onnxConformance runs tests and ends with how many passed.
func onnxConformance(ctx context.Context, c *call) error {
	want := c.Int("want", 0, "fail if fewer than `N` tests pass")
	only := c.String("only", "", "run the tests whose names match a `regexp`")
	verbose := c.Bool("v", false, "print the tests that pass too")
	dir, err := c.only("folder of tests")
	if err != nil {
		return err
	}
	o := conformance.Options{Engine: cpu.New()}
	if *only != "" {
		if o.Only, err = regexp.Compile(*only); err != nil {
			return usageError{err}
		}
	}
	o.See = func(r conformance.Result) {
		switch {
		case r.Err != nil:
			fmt.Fprintf(c.stdout, "%s\n", r.Line())
		case *verbose:
			fmt.Fprintf(c.stdout, "%s: passed\n", r.Name)
		}
	}
	results, err := conformance.Run(ctx, dir, o)
	if err != nil {
		return err
	}
	passed := conformance.Passed(results)
	if _, err := fmt.Fprintf(c.stdout, "%d of %d passed\n", passed, len(results)); err != nil {
		return err
	}
	if passed < *want {
		return fmt.Errorf("%d tests passed; want %d", passed, *want)
	}
	return nil
}
