package main

import (
	"cmp"
	"context"
	"fmt"
	"image"
	"net"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/watch"
)

const uiUsage = "serve a page at `[HOST]:PORT`; the default host is 127.0.0.1, and port 0 means any free port"

// watchCommand serves a page with runs of the folders that are given.
func watchCommand(ctx context.Context, c *call) error {
	address := c.String("ui", ":0", uiUsage)
	if err := c.parse(true); err != nil {
		return err
	}
	if c.NArg() == 0 {
		return usagef("no folder of a run; give one such as runs/lenet, or several")
	}
	if err := checkAddress("ui", *address); err != nil {
		return err
	}
	runs, err := watch.OpenFolders(c.Args()...)
	if err != nil {
		return err
	}
	server, err := watch.Serve(*address, runs)
	if err != nil {
		return err
	}
	if _, err = fmt.Fprintf(c.stdout, "the runs are shown at %s until Ctrl-C%s\n", server.URL(), reach(*address, "see them")); err == nil {
		<-ctx.Done()
	}
	return cmp.Or(err, server.Close())
}

// checkAddress refuses a value of a flag that is no address to serve at.
func checkAddress(name, address string) error {
	if _, _, err := watch.ParseAddress(address); err != nil {
		return usagef("-%s: %s", name, oneLine(err))
	}
	return nil
}

// reach says what others may do who can reach a page, where there are any.
func reach(address, may string) string {
	host, _, err := watch.ParseAddress(address)
	if ip := net.ParseIP(host); err != nil || host == "localhost" || ip != nil && ip.IsLoopback() {
		return ""
	}
	return "; whoever can reach this machine may " + may
}

// checkPage refuses flags that no page can be served by.
func (r *trainRun) checkPage() error {
	if r.ui != "" {
		return checkAddress("ui", r.ui)
	}
	if !r.stay {
		return usagef("-stay is of the page of -ui, which is not given")
	}
	return nil
}

// window is the page of a run. A nil one shows nothing.
type window struct {
	run    *watch.Run
	server *watch.Server
	out    *output
	stay   bool
}

// openWindow serves the page of the run at address; there is none where that is empty.
func (r *trainRun) openWindow(address string, stay bool) (*window, error) {
	if address == "" {
		return nil, nil
	}
	w := &window{out: r.call.stdout, stay: stay, run: watch.NewRun(watch.Options{
		Title: plain.Name(r.settings.Model) + " on " + plain.Name(r.settings.Data), Prepare: preparePicture,
	})}
	var err error
	if w.server, err = watch.Serve(address, w.run); err != nil {
		return nil, err
	}
	if _, err := fmt.Fprintf(w.out, "the run is shown at %s%s\n", w.server.URL(), reach(address, "see it and stop it")); err != nil {
		return nil, cmp.Or(err, w.server.Close())
	}
	return w, nil
}

// preparePicture is a picture as a model takes it.
func preparePicture(img image.Image, info data.Info) ([]float32, error) {
	prepare, err := prepareFor(info)
	if err != nil {
		return nil, err
	}
	return prepare(img)
}

func (w *window) attach(c *train.Config) {
	if w != nil {
		w.run.Attach(c)
	}
}

func (w *window) finish(result *train.Result, err error) {
	if w != nil {
		w.run.Finish(result, err)
	}
}

// stopped reports whether the page has stopped the run.
func (w *window) stopped() bool { return w != nil && w.run.Stopped() }

// linger keeps the page until ctx ends, where that is wanted.
func (w *window) linger(ctx context.Context) error {
	if w == nil || !w.stay {
		return nil
	}
	if _, err := fmt.Fprintf(w.out, "the page stays at %s, to draw digits or try pictures, until Ctrl-C\n", w.server.URL()); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func (w *window) close() {
	if w != nil {
		_ = w.server.Close()
	}
}
