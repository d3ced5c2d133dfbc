package webdataset

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/picture"
	"github.com/plexaura/plexaura/internal/npy"
	"github.com/plexaura/plexaura/internal/regular"
	"github.com/plexaura/plexaura/shape"
)

// Options say how the members of an example become an input and a class.
type Options struct {
	// Input is the shape of an input: (3,H,W) or (1,H,W) of a picture, any of an array.
	Input shape.Shape
	// Preprocess describes how pictures become inputs; its Image is the name of a [picture.Shorter]. An
	// array is normalised by its Mean and Std only.
	Preprocess data.Preprocess
	// Classes are the names of the classes. Without them, classes are numbers.
	Classes []string
	// Field is the field of .json with the class, by number or name; default "label".
	Field string
}

// Bounds of the members of an example, in bytes, and of the examples.
const (
	maxInput    = 1 << 28
	maxClass    = 1 << 20
	maxExamples = math.MaxInt32
)

// Shards is a dataset in tar archives. It is immutable and safe for concurrent use, as long as the
// files do not change.
type Shards struct {
	info     data.Info
	way      picture.Shorter
	field    string
	classes  data.ClassIndex
	files    []string
	examples []example
}

// example says where the members of an example are.
type example struct {
	file   int32
	class  int32
	array  bool // rather than a picture
	offset int64
	size   int64
	key    string
}

// Open indexes the archives at paths, in this order. A name that is absolute or leads out of the
// archive, a link, a member that is too large, an example that lacks a part, and an archive that ends
// early are errors, which name the archive and the position. If ctx is cancelled, the error is its
// cause.
func Open(ctx context.Context, paths []string, o Options) (*Shards, error) {
	s, err := open(ctx, paths, o)
	if err != nil {
		return nil, fmt.Errorf("webdataset: %w", err)
	}
	return s, nil
}

func open(ctx context.Context, paths []string, o Options) (*Shards, error) {
	switch {
	case ctx == nil:
		return nil, errors.New("no context")
	case len(paths) == 0:
		return nil, errors.New("no archives")
	}
	s := &Shards{
		info:  data.Info{Input: shape.Type{DType: shape.Float32, Shape: o.Input}, Target: shape.I32(), Classes: slices.Clone(o.Classes), Preprocess: o.Preprocess},
		field: o.Field, files: slices.Clone(paths),
	}
	if s.field == "" {
		s.field = "label"
	}
	if err := s.info.Err(); err != nil {
		return nil, err
	}
	if o.Preprocess.Image != "" {
		var ok bool
		if s.way, ok = picture.ParseShorter(o.Preprocess.Image); !ok {
			return nil, fmt.Errorf("preprocessing %q; want that of a picture.Shorter, such as %q", o.Preprocess.Image, picture.ImageNet().Image)
		}
		if err := s.way.Check(o.Input); err != nil {
			return nil, err
		}
	}
	s.classes = data.NewClassIndex(s.info.Classes)
	for i, p := range paths {
		if err := s.index(ctx, int32(i), p); err != nil {
			return nil, err
		}
	}
	if len(s.examples) == 0 {
		return nil, fmt.Errorf("%s and %d other archives have no examples", paths[0], len(paths)-1)
	}
	return s, nil
}

// index adds the examples of an archive.
func (s *Shards) index(ctx context.Context, number int32, file string) error {
	f, err := regular.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	a := archive{shards: s, number: number, file: f, size: info.Size()}
	if err := a.read(ctx); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("%s, at byte %d: %w", file, a.at, err)
	}
	return nil
}

// archive is an archive that is being indexed.
type archive struct {
	shards *Shards
	number int32
	file   *os.File
	size   int64
	at     int64 // of the member that is read
	end    int64 // of the last one, with its padding
	open   *pending
}

// pending is the example whose members are being read.
type pending struct {
	example
	input, class bool
}

func (a *archive) read(ctx context.Context) error {
	r := tar.NewReader(a.file)
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		h, err := r.Next()
		if err == io.EOF {
			return a.finish()
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return errors.New("the archive ends early")
		}
		if err != nil {
			return err
		}
		if a.at, err = a.file.Seek(0, io.SeekCurrent); err != nil {
			return err
		}
		a.end = a.at + (h.Size+511)/512*512
		if err := a.member(h, r); err != nil {
			return fmt.Errorf("%.100q: %w", h.Name, err)
		}
	}
}

// finish ends the last example, and checks that the archive has its end mark, two blocks of zeros: one
// that was cut between two members has not.
func (a *archive) finish() error {
	var mark [1024]byte
	if _, err := a.file.ReadAt(mark[:], a.end); err != nil || mark != [1024]byte{} {
		a.at = a.end
		return errors.New("the archive ends early: its end mark is missing")
	}
	return a.flush()
}

// member adds a member to its example.
func (a *archive) member(h *tar.Header, r io.Reader) error {
	switch {
	case h.Typeflag == tar.TypeDir:
		return nil
	case h.Typeflag != tar.TypeReg:
		return errors.New("no regular file: links and devices are not read")
	case !filepath.IsLocal(filepath.FromSlash(h.Name)) || strings.Contains(h.Name, `\`):
		return errors.New("the name leads out of the archive")
	case h.Size < 0 || a.at+h.Size > a.size:
		return errors.New("the archive ends early")
	}
	dir, base := path.Split(h.Name)
	key, ending, ok := strings.Cut(base, ".")
	if !ok || key == "" {
		return nil // a file of its own, such as README
	}
	key = dir + key
	if a.open == nil || a.open.key != key {
		if err := a.flush(); err != nil {
			return err
		}
		a.open = &pending{example: example{file: a.number, key: key}}
	}
	ending = strings.ToLower(ending)
	switch isPicture := slices.Contains(picture.Extensions(), "."+ending); {
	case isPicture || ending == "npy":
		return a.input(h, !isPicture)
	case ending == "cls" || ending == "json":
		return a.class(h, r, ending)
	}
	return nil // of another use
}

func (a *archive) input(h *tar.Header, array bool) error {
	switch {
	case a.open.input:
		return fmt.Errorf("%.100q has two inputs", a.open.key)
	case h.Size > maxInput:
		return fmt.Errorf("%d bytes; at most %d", h.Size, maxInput)
	case !array && a.shards.way == 0:
		return errors.New("a picture, but Preprocess does not say how to prepare it")
	case len(a.shards.examples) == maxExamples:
		return fmt.Errorf("more than %d examples", maxExamples)
	}
	a.open.input, a.open.array, a.open.offset, a.open.size = true, array, a.at, h.Size
	return nil
}

func (a *archive) class(h *tar.Header, r io.Reader, ending string) error {
	if h.Size > maxClass {
		return fmt.Errorf("%d bytes; at most %d", h.Size, maxClass)
	}
	b, err := io.ReadAll(r)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the archive ends early")
	}
	if err != nil {
		return err
	}
	text := strings.TrimSpace(string(b))
	if ending == "json" {
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(b, &fields); err != nil {
			return err
		}
		v, ok := fields[a.shards.field]
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
	if a.open.class {
		return fmt.Errorf("%.100q has two classes", a.open.key)
	}
	a.open.class = true
	a.open.example.class, err = a.shards.classes.Number(text)
	return err
}

// flush ends the example that is being read.
func (a *archive) flush() error {
	e := a.open
	a.open = nil
	switch {
	case e == nil || !e.input && !e.class:
		return nil
	case !e.input:
		return fmt.Errorf("example %.100q has a class, but no picture and no .npy", e.key)
	case !e.class:
		return fmt.Errorf("example %.100q has no class: no .cls, and no .json with the field %q", e.key, a.shards.field)
	}
	a.shards.examples = append(a.shards.examples, e.example)
	return nil
}

// Len returns the number of examples.
func (s *Shards) Len() int {
	if s == nil {
		return 0
	}
	return len(s.examples)
}

// Info describes the examples.
func (s *Shards) Info() data.Info {
	if s == nil {
		return data.Info{}
	}
	return s.info
}

// Path returns the archive of example i and its name there, "shard.tar/0001", or "" if there is no such
// example.
func (s *Shards) Path(i int) string {
	if i < 0 || i >= s.Len() {
		return ""
	}
	return s.files[s.examples[i].file] + "/" + s.examples[i].key
}

// Label returns the class of example i; see [data.Labelled].
func (s *Shards) Label(i int) (int32, bool) {
	if i < 0 || i >= s.Len() {
		return 0, false
	}
	return s.examples[i].class, true
}

// Read decodes example i. Errors name its archive.
func (s *Shards) Read(i int, e data.Example) error {
	if n := s.Len(); i < 0 || i >= n {
		return fmt.Errorf("webdataset: no example %d among %d", i, n)
	}
	if len(e.X) != s.info.Input.Len() || len(e.Labels) != 1 {
		return fmt.Errorf("webdataset: room for %d and %d elements; want %v and %v", len(e.X), len(e.Labels), s.info.Input, s.info.Target)
	}
	if err := s.fill(s.examples[i], e.X); err != nil {
		return fmt.Errorf("webdataset: %s: %w", s.Path(i), err)
	}
	s.info.Preprocess.Apply(e.X)
	e.Labels[0] = s.examples[i].class
	return nil
}

func (s *Shards) fill(e example, x []float32) error {
	f, err := regular.Open(s.files[e.file])
	if err != nil {
		return err
	}
	defer f.Close()
	part := io.NewSectionReader(f, e.offset, e.size)
	if !e.array {
		img, err := picture.Decode(part)
		if err != nil {
			return err
		}
		return s.way.Fill(x, img, s.info.Input.Shape)
	}
	b, err := io.ReadAll(part)
	if err != nil {
		return err
	}
	a, err := npy.Unmarshal(b)
	if err != nil {
		return err
	}
	if want := s.info.Input.Shape.Ints(); !slices.Equal(a.Shape, want) {
		return fmt.Errorf("an array of %v; want %v", a.Shape, want)
	}
	return a.Float32s(x)
}
