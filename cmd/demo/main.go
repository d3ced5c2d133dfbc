// Demo trains, tests and shows the models of Plexaura from the command line.
//
//	demo [command] [flags]
//
// Without a command it is "demo train": LeNet-5 learns MNIST. "demo COMMAND -h" describes a
// command. The exit status is 0, 1 where the command failed or was interrupted, 2 where it was
// called wrongly, 3 where the program has a bug: then a stack follows the line that says so.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/internal/simd"
)

// command is one row of the table of commands.
type command struct {
	name string
	args string // what follows the flags
	does string
	run  func(ctx context.Context, c *call) error
	// ends reports whether it ends by itself when interrupted: it has something to save, or Ctrl-C is
	// how it ends.
	ends bool
}

func commands() []command {
	return []command{
		{"train", "", "train a model, by default LeNet-5 on MNIST, or resume a run", trainCommand, true},
		{"watch", "FOLDER...", "serve a page of runs side by side, finished or in progress", watchCommand, true},
		{"eval", "", "test trained weights", eval, false},
		{"predict", "IMAGE...", "classify pictures", predict, false},
		{"calibrate", "", "find ranges of numbers, for inference in 8-bit integers", calibrate, false},
		{"serve", "", "answer requests for predictions by HTTP: Open Inference Protocol", serveCommand, true},
		{"summary", "", "layers, shapes, parameters, multiply-adds and memory of a model", summary, false},
		{"program", "", "the compiled instructions of a model", program, false},
		{"gradcheck", "", "gradients of every op against finite differences", catalogue().gradCheck, false},
		{"parity", "", "every op, LeNet and AlexNet against PyTorch", parityCommand, false},
		{"explain", "PARAMETER", "why the gradient of the loss by a parameter is small or zero", explain, false},
		{"verify", "", "the optimised program against the plain one, or against gorgonia", verify, false},
		{"inspect", "[IMAGE...]", "write a page of filters, maps, patches, attributions and mistakes", inspectCommand, false},
		{"lecture", "[NAME|all]", "the deep-learning lecture: claims, numbers and figures", lectureCommand, false},
		{"onnx", "info|run|verify|bench|export|conformance ...", "ONNX files: info, run, verify, bench, export and conformance", onnxCommand, false},
		{"bench", "", "time the cases of the performance table", bench, false},
		{"version", "", "the version of the program, of Go, the platform and the kernels", version, false},
	}
}

// call is one use of a command: its flags, its arguments and where it prints.
type call struct {
	*flag.FlagSet
	cmd    command
	args   []string
	stdout *output
	called called // as which the program was called
}

// usageError is a mistake in how a command was called.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// parse reads the flags, of which the caller has declared all, and refuses numbers that are out of
// their range. It refuses arguments unless they are wanted.
func (c *call) parse(wantArgs bool) error {
	err := c.Parse(c.args)
	if errors.Is(err, flag.ErrHelp) {
		c.help()
		return err
	}
	if err != nil {
		return usageError{err}
	}
	if !wantArgs && c.NArg() > 0 {
		return usagef("unexpected argument %q; see %s -h", c.Arg(0), c.line(c.Name()))
	}
	return checkNumbers(c.FlagSet)
}

// line is a command line of this program.
func (c *call) line(args ...string) string {
	line := c.called.line
	for _, arg := range args {
		line += " " + shellWord(arg)
	}
	return line
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal kills
	os.Exit(run(ctx, calledAs(os.Args[0]), os.Args[1:], os.Stdout, os.Stderr))
}

// run executes a command line and returns the exit status.
func run(ctx context.Context, by called, args []string, stdout, stderr io.Writer) int {
	out := newOutput(stdout)
	name := "train"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		name, args = args[0], args[1:]
	} else if len(args) > 0 && isHelp(args[0]) {
		name = "help"
	}
	if name == "help" {
		overview(out, by.line)
		return report(stderr, by.name+" "+name, out, nil)
	}
	if _, err := simd.Chosen(); err != nil {
		return report(stderr, by.name+" "+name, out, usageError{err})
	}
	for _, cmd := range commands() {
		if cmd.name == name {
			c := newCall(cmd, args, out)
			c.called = by
			return report(stderr, by.name+" "+name, out, c.perform(ctx))
		}
	}
	fmt.Fprintf(stderr, "%s: no command %q; see %s help\n", by.name, plain.Name(name), by.line)
	return statusMisused
}

func isHelp(arg string) bool { return arg == "-h" || arg == "-help" || arg == "--help" }

func newCall(cmd command, args []string, stdout *output) *call {
	c := &call{flag.NewFlagSet(cmd.name, flag.ContinueOnError), cmd, args, stdout, calledAs("demo")}
	c.SetOutput(io.Discard) // mistakes are reported once, by report
	c.Usage = func() {}
	return c
}

// perform runs the command. It ends with ctx, even where the command does not look at it, unless
// that ends by itself.
func (c *call) perform(ctx context.Context) error {
	run := func() (struct{}, error) { return struct{}{}, c.cmd.run(ctx, c) }
	if c.cmd.ends {
		_, err := guarded(run)
		return err
	}
	_, err := await(ctx, run)
	return err
}

// What a command line that went wrong ends with.
const statusFailed, statusMisused, statusBug = 1, 2, 3

// report prints an error of a command, such as "demo train", in one line, a bug with its stack
// below, and returns the exit status. That something could not be printed is an error.
func report(stderr io.Writer, command string, out *output, err error) int {
	if errors.Is(err, flag.ErrHelp) {
		err = nil
	}
	if failed := out.close(); failed != nil && (err == nil || errors.Is(err, failed)) {
		err = fmt.Errorf("what it printed is not complete: %w", failed)
	}
	if err == nil {
		return 0
	}
	if !errors.As(err, &silent{}) {
		fmt.Fprintf(stderr, "%s: %s\n", command, oneLine(err))
	}
	if b := (*bug)(nil); errors.As(err, &b) {
		_, _ = stderr.Write(b.stack)
		return statusBug
	}
	if errors.As(err, &usageError{}) {
		return statusMisused
	}
	return statusFailed
}

// oneLine is the text of err. The library's name for itself says nothing in a program's message.
func oneLine(err error) string {
	text := err.Error()
	for _, own := range []string{"serve: ", "train: ", "watch: "} {
		text = strings.TrimPrefix(text, own)
	}
	return plain.Line(text)
}
