// Mutate puts single faults into the code and reports which of them no test notices.
//
//	go run ./internal/mutate [-j 2] [-run PATTERN] [-list]
//	go run ./internal/mutate -propose 200
//
// The faults are listed in faults/*.txt, each by package, symbol and the text it replaces. A
// fault reaches the compiler through an overlay, so the files of the checkout are never
// touched. The short tests of the changed package run first, then those of the packages that
// import it, the nearest first, until one fails or does not end.
//
// The exit status is 0 where every fault is noticed or has a reason in the list why none can
// notice it, 1 where one survives, no longer applies or does not compile, and 2 for wrong flags.
//
// Knows the go command. Never imports anything of ours.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"syscall"
)

// errFound is the end of a run that found something to mend, which has been printed by then.
var errFound = errors.New("there are faults that no test notices")

type options struct {
	jobs      int
	pattern   *regexp.Regexp
	list      bool
	own       bool
	explained bool
	propose   int
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C kills
	o, err := parse(os.Args[1:], os.Stderr)
	if err != nil {
		os.Exit(2)
	}
	err = run(ctx, ".", o, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

func parse(args []string, errs io.Writer) (o options, err error) {
	f := flag.NewFlagSet("mutate", flag.ContinueOnError)
	f.SetOutput(errs)
	f.IntVar(&o.jobs, "j", 2, "how many faults are tried at a time")
	f.BoolVar(&o.list, "list", false, "print the faults and try none")
	f.BoolVar(&o.own, "own", false, "run only the tests of the changed package and the one that the list names, which is quick")
	f.BoolVar(&o.explained, "explained", false, "run the importers' tests for explained faults too, which is slow")
	f.IntVar(&o.propose, "propose", 0, "print so many faults chosen by the rule in propose.go, and try none")
	pattern := f.String("run", "", "only faults whose name, such as vm.(*plan).guards, matches this regular `expression`")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.pattern, err = regexp.Compile(*pattern)
	switch {
	case err != nil:
	case f.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", f.Arg(0))
	case o.jobs < 1 || o.jobs > 256:
		err = fmt.Errorf("-j %d: from 1 to 256", o.jobs)
	case o.propose < 0 || o.propose > 10_000:
		err = fmt.Errorf("-propose %d: from 1 to 10000", o.propose)
	}
	if err != nil {
		fmt.Fprintln(errs, "mutate:", err)
	}
	return o, err
}

// run does what the flags say in the module that dir lies in.
func run(ctx context.Context, dir string, o options, out io.Writer) error {
	m, err := loadModule(ctx, dir)
	if err != nil {
		return err
	}
	if o.propose > 0 {
		return propose(ctx, m, o.propose, out)
	}
	all, err := readFaults(m.path("internal/mutate/faults"))
	if err != nil {
		return err
	}
	var faults []fault
	for _, f := range all {
		if o.pattern.MatchString(f.name()) {
			faults = append(faults, f)
		}
	}
	if len(faults) == 0 {
		return fmt.Errorf("no fault of %d matches %q", len(all), o.pattern)
	}
	if o.list {
		return writeFaults(out, faults)
	}
	return tryAll(ctx, m, faults, o, out)
}
