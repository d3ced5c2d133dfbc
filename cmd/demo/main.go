// Demo trains, tests and shows the models of Plexaura from the command line.
//
//	demo [command] [flags]
//
// Without a command it is "demo train": LeNet-5 learns MNIST. "demo COMMAND -h" describes a
// command. The exit status is 0, 1 where the command failed, 2 where it was called wrongly.
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

	"github.com/plexaura/plexaura/internal/simd"
)

// command is one row of the table of commands.
type command struct {
	name string
	args string // what follows the flags
	does string
	run  func(ctx context.Context, c *call) error
}

func commands() []command {
	return []command{
		{"train", "", "train a model, by default LeNet-5 on MNIST, or resume a run", trainCommand},
		{"eval", "", "test trained weights", eval},
		{"predict", "IMAGE...", "classify pictures", predict},
		{"summary", "", "layers, shapes, parameters, multiply-adds and memory of a model", summary},
		{"program", "", "the compiled instructions of a model", program},
		{"gradcheck", "", "gradients of every op against finite differences", gradCheck},
		{"parity", "", "every op, LeNet and AlexNet against PyTorch", parityCommand},
		{"verify", "", "the optimised program against the plain one, or against gorgonia", verify},
		{"bench", "", "time the cases of the performance table", bench},
	}
}

// call is one use of a command: its flags, its arguments and where it prints.
type call struct {
	*flag.FlagSet
	cmd    command
	args   []string
	stdout io.Writer
}

// usageError is a mistake in how a command was called.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// parse reads the flags, of which the caller has declared all. It refuses arguments unless
// they are wanted.
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
		return usagef("unexpected argument %q; see demo %s -h", c.Arg(0), c.Name())
	}
	return nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run executes a command line and returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	name := "train"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		name, args = args[0], args[1:]
	} else if len(args) > 0 && isHelp(args[0]) {
		overview(stdout)
		return 0
	}
	if name == "help" {
		overview(stdout)
		return 0
	}
	if _, err := simd.Chosen(); err != nil {
		fmt.Fprintf(stderr, "demo: %s\n", oneLine(err))
		return 2
	}
	for _, cmd := range commands() {
		if cmd.name == name {
			return report(stderr, cmd, cmd.run(ctx, newCall(cmd, args, stdout)))
		}
	}
	fmt.Fprintf(stderr, "demo: no command %q; see demo help\n", name)
	return 2
}

func isHelp(arg string) bool { return arg == "-h" || arg == "-help" || arg == "--help" }

func newCall(cmd command, args []string, stdout io.Writer) *call {
	c := &call{flag.NewFlagSet(cmd.name, flag.ContinueOnError), cmd, args, stdout}
	c.SetOutput(io.Discard) // mistakes are reported once, by report
	c.Usage = func() {}
	return c
}

// help describes the command.
func (c *call) help() {
	fmt.Fprintf(c.stdout, "usage: demo %s [flags] %s\n\n%s\n\n", c.cmd.name, c.cmd.args, c.cmd.does)
	c.SetOutput(c.stdout)
	c.PrintDefaults()
}

// report prints an error in one line and returns the exit status.
func report(stderr io.Writer, cmd command, err error) int {
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return 0
	}
	fmt.Fprintf(stderr, "demo %s: %s\n", cmd.name, oneLine(err))
	if errors.As(err, &usageError{}) {
		return 2
	}
	return 1
}

func oneLine(err error) string {
	lines := strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' })
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(lines, "; ")
}

func overview(w io.Writer) {
	fmt.Fprint(w, "usage: demo [command] [flags]\n\nWithout a command, demo train. The commands:\n\n")
	for _, cmd := range commands() {
		fmt.Fprintf(w, "  %-10s %s\n", cmd.name, cmd.does)
	}
	fmt.Fprint(w, "\ndemo COMMAND -h lists the flags of a command.\n")
}
