package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/inspect"
	"github.com/plexaura/plexaura/internal/inspectpage"
	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/internal/regular"
)

// inspectCommand writes a page of what can be seen of trained weights.
func inspectCommand(ctx context.Context, c *call) error {
	pick := c.pickWeights()
	from := c.String("data", "mnist", dataUsage+"; the test images are used, or those of val where there are none")
	limit := c.Int("n", 2000, "look at the first `N` images of the data; 0 means all")
	channels := c.Int("channels", 64, "how many channels of a layer to show at most")
	out := c.String("out", "inspect", "the `folder` for the page, index.html")
	seed := c.Uint64("seed", 1, "seed of the embedding")
	if err := c.parse(true); err != nil {
		return err
	}
	if n := c.NArg(); n > inspectpage.MaxImages {
		return usagef("%d pictures; a page explains at most %d", n, inspectpage.MaxImages)
	}
	page := filepath.Join(*out, "index.html")
	if err := placeFor(page); err != nil {
		return err
	}
	w, part, name, err := pick.loadWith(ctx, c, *from, *limit, 0)
	if err != nil {
		return err
	}
	net, err := w.network(part.Info())
	if err != nil {
		return err
	}
	o := inspectpage.Options{
		Title: "Inside " + w.Name, Channels: *channels, Seed: *seed,
		Source: fmt.Sprintf("The weights are %s, the images those for %s of %s.", plain.Name(filepath.Base(w.path)), name, plain.Name(*from)),
	}
	if o.Images, err = readImages(c.Args(), w.Info); err != nil {
		return err
	}
	return draw(ctx, c, net, part, o, page)
}

// placeFor refuses a file that cannot be written, in a folder that there may not be yet.
func placeFor(path string) error {
	folder := filepath.Dir(path)
	switch info, err := os.Stat(folder); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is a file, not a folder", folder)
	}
	return regular.Replaceable(path)
}

// network is what the weights make of the model; those of another model are an error that names
// them.
func (w trained) network(have data.Info) (*inspect.Network, error) {
	if !slices.Equal(w.Info.Classes, have.Classes) {
		return nil, fmt.Errorf("%s is for %d classes, the data have %d: %q and %q",
			w.path, len(w.Info.Classes), len(have.Classes), some(w.Info.Classes), some(have.Classes))
	}
	n, err := inspect.Trained(w.engine, w.model.layer(w.Info), w.Checkpoint, w.model.loss)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", w.path, err)
	}
	return n, nil
}

// some are the first of many names.
func some(names []string) []string {
	const show = 3
	if len(names) > show {
		names = append(slices.Clone(names[:show]), "…")
	}
	return names
}

// readImages reads pictures, all before anything is computed.
func readImages(paths []string, info data.Info) (images []inspectpage.Image, err error) {
	for _, path := range paths {
		x, err := readPicture(path, info)
		if err != nil {
			return nil, err
		}
		images = append(images, inspectpage.Image{Name: plain.Name(filepath.Base(path)), X: x})
	}
	return images, nil
}

// draw makes the page, with a line for each step, and writes it.
func draw(ctx context.Context, c *call, n *inspect.Network, ds data.Dataset, o inspectpage.Options, path string) error {
	var now *status
	var said error
	finish := func() {
		if now == nil {
			return
		}
		now.end()
		if _, err := fmt.Fprintf(c.stdout, "%-16s %s\n", now.what, now.took()); said == nil {
			said = err
		}
	}
	o.Begin = func(step, of int, name string) {
		finish()
		now = newStatus(c.stdout, fmt.Sprintf("%d/%d %s", step, of, name))
	}
	o.Doing = func(what string) { now.doing(what) }
	html, err := inspectpage.Make(ctx, n, ds, o)
	if err != nil {
		if now != nil {
			now.end()
		}
		return err
	}
	if finish(); said != nil {
		return said
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	return save(c.stdout, path, html, true)
}
