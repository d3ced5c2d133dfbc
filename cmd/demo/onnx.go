package main

import (
	"context"
	"fmt"
	"regexp"

	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/interop/onnx"
	"github.com/plexaura/plexaura/interop/onnx/conformance"
)

// onnxCommands are the subcommands of "demo onnx".
var onnxCommands = []struct {
	name, args, does string
	run              func(ctx context.Context, c *call) error
}{
	{"info", "FILE", "inputs, outputs, operators and what is not supported", onnxInfo},
	{"conformance", "DIR", "run a folder of ONNX's tests", onnxConformance},
}

// onnxCommand runs the subcommand that the first argument names.
func onnxCommand(ctx context.Context, c *call) error {
	if len(c.args) == 0 {
		return usagef("want a subcommand: info or conformance; see %s -h", c.line(c.Name()))
	}
	for _, s := range onnxCommands {
		if s.name == c.args[0] {
			c.args = c.args[1:]
			return s.run(ctx, c)
		}
	}
	if err := c.parse(true); err != nil {
		return err
	}
	return usagef("there is no subcommand %q: want info or conformance", plain.Name(c.args[0]))
}

// onnxInfo says what a file needs.
func onnxInfo(_ context.Context, c *call) error {
	if err := c.parse(true); err != nil {
		return err
	}
	if c.NArg() != 1 {
		return usagef("want one file")
	}
	m, err := onnx.ReadFile(c.Arg(0), onnx.Options{})
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
	if err := c.parse(true); err != nil {
		return err
	}
	if c.NArg() != 1 {
		return usagef("want one folder of tests")
	}
	o := conformance.Options{Engine: cpu.New()}
	if *only != "" {
		var err error
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
	results, err := conformance.Run(ctx, c.Arg(0), o)
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
