package ir

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/internal/regular"
)

// MaxFile is the largest size of a file in bytes that [ReadFile] reads, for the model and for each
// file of external data. A model itself has less than 2 GiB, the most of a protocol buffer.
const MaxFile = 16 << 30

// ReadFile reads the model at path and the external data of its tensors, which must be in files
// of the model's folder or below it. Its errors begin with the path.
func ReadFile(path string) (*Model, error) {
	b, err := readWhole(path)
	if err != nil {
		return nil, err
	}
	m, err := Unmarshal(b)
	if err == nil {
		err = m.load(filepath.Dir(path))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// readWhole reads a regular file into memory that is aligned for any element type.
func readWhole(path string) ([]byte, error) {
	f, err := regular.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return slurp(f, path)
}

func slurp(f *os.File, path string) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > MaxFile {
		return nil, &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("%d bytes, more than the %d that such a file may have", info.Size(), int64(MaxFile))}
	}
	b := make([]byte, info.Size())
	if _, err := io.ReadFull(f, b); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return b, nil
}

// load reads the external elements of all tensors. Each file is read once.
func (m *Model) load(dir string) error {
	root, err := os.OpenRoot(dir) // refuses paths and links that lead out of dir
	if err != nil {
		return err
	}
	defer root.Close()
	files := map[string][]byte{}
	return m.eachTensor(func(t *Tensor) error {
		if !t.Outside {
			return nil
		}
		if err := t.load(root, files); err != nil {
			return fmt.Errorf("tensor %q: external data: %w", plain.Name(t.Name), err)
		}
		return nil
	})
}

func (t *Tensor) load(root *os.Root, files map[string][]byte) error {
	var location string
	offset, length := int64(0), int64(-1)
	for _, e := range t.External {
		var err error
		switch e.Key {
		case "location":
			location = e.Value
		case "offset":
			offset, err = strconv.ParseInt(e.Value, 10, 64)
		case "length":
			length, err = strconv.ParseInt(e.Value, 10, 64)
		}
		if err != nil {
			return fmt.Errorf("%s is %q; want a number", e.Key, plain.Name(e.Value))
		}
	}
	if !filepath.IsLocal(filepath.FromSlash(location)) {
		return fmt.Errorf("location %q is not a path inside of the model's folder", plain.Name(location))
	}
	b, err := fileIn(root, filepath.FromSlash(location), files)
	if err != nil {
		return err
	}
	n, err := t.Len()
	if err != nil {
		return err
	}
	if length < 0 {
		length = (int64(n)*int64(t.Type.Bits()) + 7) / 8
	}
	if offset < 0 || offset > int64(len(b)) || length > int64(len(b))-offset {
		return fmt.Errorf("%d bytes at offset %d are not in %s, which has %d", length, offset, plain.Name(location), len(b))
	}
	t.Raw, t.HasRaw, t.Outside, t.External = b[offset:offset+length:offset+length], true, false, nil
	return t.Check()
}

// fileIn returns the content of a file in root.
func fileIn(root *os.Root, name string, files map[string][]byte) ([]byte, error) {
	if b, ok := files[name]; ok {
		return b, nil
	}
	info, err := root.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: regular.ErrNotRegular}
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, &fs.PathError{Op: "open", Path: name, Err: regular.ErrNotRegular})
	}
	if files[name], err = slurp(f, name); err != nil {
		return nil, err
	}
	return files[name], nil
}

// eachTensor calls f for every tensor of m: initialisers and attributes, those of graphs in
// attributes and of functions included, until f returns an error.
func (m *Model) eachTensor(f func(*Tensor) error) error {
	err := m.Graph.eachTensor(f)
	for _, fn := range m.Functions {
		if err == nil {
			err = eachTensor(fn.Nodes, f)
		}
	}
	return err
}

func (g *Graph) eachTensor(f func(*Tensor) error) error {
	if g == nil {
		return nil
	}
	for _, t := range g.Initializers {
		if err := f(t); err != nil {
			return err
		}
	}
	return eachTensor(g.Nodes, f)
}

func eachTensor(nodes []*Node, f func(*Tensor) error) error {
	for _, n := range nodes {
		for _, a := range n.Attributes {
			if err := a.eachTensor(f); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *Attribute) eachTensor(f func(*Tensor) error) error {
	tensors := a.Tensors
	if a.Tensor != nil {
		tensors = append([]*Tensor{a.Tensor}, tensors...)
	}
	for _, t := range tensors {
		if err := f(t); err != nil {
			return err
		}
	}
	for _, g := range append([]*Graph{a.Graph}, a.Graphs...) {
		if err := g.eachTensor(f); err != nil {
			return err
		}
	}
	return nil
}
