package webdataset

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/plexaura/plexaura/data/picture"
)

// Bounds of the members of an example, in bytes.
const (
	maxInput = 1 << 28
	maxClass = 1 << 20
)

// The size of a block, the unit of archives, and of the mark at their end: two blocks of zeros.
const (
	block   = 512
	endMark = 2 * block
)

// archive reads the examples of an archive one after the other.
type archive struct {
	*layout
	tar   *tar.Reader
	place func() (int64, error)                 // how many bytes have been read
	ended func(end int64) bool                  // whether the end mark is there, behind that many bytes
	input func(h *tar.Header, array bool) error // takes an input, whose content is next
	size  int64                                 // of the archive in bytes, or more than it has

	open  example     // whose members are being read
	ahead *tar.Header // of the first member of the next example; nil if it has not been read
	at    int64       // where the content of the member begins that was read last
	end   int64       // where that ends, with its padding
}

// example is what the members of an example say.
type example struct {
	key      string // empty before the first member
	class    int32
	hasInput bool
	hasClass bool
}

var (
	errEarly  = errors.New("the archive ends early")
	errNoMark = fmt.Errorf("%w: its end mark is missing", errEarly)
)

// early returns errEarly for an error of reading that says so.
func early(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || err == io.EOF {
		return errEarly
	}
	return err
}

// next returns the next example, or io.EOF after the last one.
func (a *archive) next(ctx context.Context) (example, error) {
	a.open = example{}
	for {
		h, err := a.header(ctx)
		if err == io.EOF {
			return a.last()
		}
		if err != nil {
			return example{}, err
		}
		key, ending, err := a.parse(h)
		if err != nil {
			return example{}, fmt.Errorf("%.100q: %w", h.Name, err)
		}
		if key == "" {
			continue
		}
		if a.open.key != "" && a.open.key != key {
			if e, ok, err := a.complete(); ok || err != nil {
				a.ahead = h
				return e, err
			}
		}
		a.open.key = key
		if err := a.member(h, ending); err != nil {
			return example{}, fmt.Errorf("%.100q: %w", h.Name, err)
		}
	}
}

// header returns the header of the next member.
func (a *archive) header(ctx context.Context) (*tar.Header, error) {
	if h := a.ahead; h != nil {
		a.ahead = nil
		return h, nil
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	h, err := a.tar.Next()
	if err == io.EOF {
		return nil, io.EOF
	}
	if err != nil {
		return nil, early(err)
	}
	if a.at, err = a.place(); err != nil {
		return nil, err
	}
	a.end = a.at + (h.Size+block-1)/block*block
	return h, nil
}

// last returns the example at the end of the archive. An archive that was cut between two members has no
// end mark.
func (a *archive) last() (example, error) {
	if !a.ended(a.end) {
		a.at = a.end
		return example{}, errNoMark
	}
	e, ok, err := a.complete()
	a.open = example{}
	if !ok && err == nil {
		err = io.EOF
	}
	return e, err
}

// complete returns the example that has been read, and false if there is none, only files of another use.
func (a *archive) complete() (e example, ok bool, err error) {
	switch e = a.open; {
	case !e.hasInput && !e.hasClass:
		return e, false, nil
	case !e.hasInput:
		return e, false, fmt.Errorf("example %.100q has a class, but no picture and no .npy; the members of an example stand next to each other", e.key)
	case !e.hasClass:
		return e, false, fmt.Errorf("example %.100q has no class: no .cls, and no .json with the field %q; the members of an example stand next to each other", e.key, a.field)
	}
	return e, true, nil
}

// parse returns the key of a member's example and what follows the first dot of its name, in lower case.
// The key is empty if the member is a file of its own, such as README.
func (a *archive) parse(h *tar.Header) (key, ending string, err error) {
	switch {
	case h.Typeflag == tar.TypeDir:
		return "", "", nil
	case h.Typeflag != tar.TypeReg:
		return "", "", errors.New("no regular file: links and devices are not read")
	case isSparse(h):
		return "", "", errors.New("a sparse file, which is not read")
	case !filepath.IsLocal(filepath.FromSlash(h.Name)) || strings.Contains(h.Name, `\`):
		return "", "", errors.New("the name leads out of the archive")
	case h.Size < 0 || h.Size > a.size-a.at:
		return "", "", errEarly
	}
	dir, base := path.Split(h.Name)
	key, ending, ok := strings.Cut(base, ".")
	if !ok || key == "" {
		return "", "", nil
	}
	return dir + key, strings.ToLower(ending), nil
}

// isSparse tells a file without its zeros, whose content in the archive has another size than the file.
func isSparse(h *tar.Header) bool {
	for name := range h.PAXRecords {
		if strings.HasPrefix(name, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// member adds a member to its example.
func (a *archive) member(h *tar.Header, ending string) error {
	isPicture := slices.Contains(picture.Extensions(), "."+ending)
	switch {
	case isPicture || ending == "npy":
		return a.addInput(h, !isPicture)
	case ending == "cls" || ending == "json":
		return a.addClass(h, ending)
	}
	return nil // of another use
}

func (a *archive) addInput(h *tar.Header, array bool) error {
	switch {
	case a.open.hasInput:
		return fmt.Errorf("%.100q has two inputs", a.open.key)
	case h.Size > maxInput:
		return fmt.Errorf("%d bytes; at most %d", h.Size, maxInput)
	case !array && a.way == 0:
		return errors.New("a picture, but Preprocess does not say how to prepare it")
	}
	a.open.hasInput = true
	return a.input(h, array)
}

func (a *archive) addClass(h *tar.Header, ending string) error {
	if h.Size > maxClass {
		return fmt.Errorf("%d bytes; at most %d", h.Size, maxClass)
	}
	b, err := io.ReadAll(a.tar)
	if err != nil {
		return early(err)
	}
	text := strings.TrimSpace(string(b))
	if ending == "json" {
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(b, &fields); err != nil {
			return err
		}
		v, ok := fields[a.field]
		if !ok {
			return nil // of another use
		}
		text = string(v)
		if v[0] == '"' {
			if err := json.Unmarshal(v, &text); err != nil {
				return err
			}
		}
	}
	if a.open.hasClass {
		return fmt.Errorf("%.100q has two classes", a.open.key)
	}
	a.open.hasClass = true
	a.open.class, err = a.classes.Number(text)
	return err
}
