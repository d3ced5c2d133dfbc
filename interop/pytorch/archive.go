package pytorch

import (
	"archive/zip"
	"bufio"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/plexaura/plexaura/internal/plain"
)

// maxPickle is the largest pickle in bytes. That of a state dict has about 300 for each tensor.
const maxPickle = 256 << 20

// archive is a file of torch.save since PyTorch 1.6.
type archive struct {
	root  string // the folder of everything, with a slash at its end
	files map[string]*zip.File
	size  int64 // of the file
	bigs  bool  // numbers are big-endian
	known map[string]*storage
}

// readArchive reads the pickle of an archive.
func readArchive(in io.ReaderAt, size int64) (v any, bigEndian bool, err error) {
	z, err := zip.NewReader(in, size)
	if err != nil {
		return nil, false, fmt.Errorf("it is cut off, or no file of torch.save: %w", err)
	}
	a := &archive{files: map[string]*zip.File{}, size: size, known: map[string]*storage{}}
	var pickle *zip.File
	for _, f := range z.File {
		a.files[f.Name] = f
		if path.Base(f.Name) == "data.pkl" && (pickle == nil || len(f.Name) < len(pickle.Name)) {
			pickle = f
		}
	}
	if pickle == nil {
		return nil, false, errors.New("the archive has no data.pkl: it is not of torch.save")
	}
	a.root = strings.TrimSuffix(pickle.Name, "data.pkl")
	if a.files[a.root+"constants.pkl"] != nil {
		return nil, false, errors.New("it is a TorchScript archive, a program; save model.state_dict() by torch.save")
	}
	if err := a.readOrder(); err != nil {
		return nil, false, err
	}
	_, n, err := a.place(pickle)
	if err != nil {
		return nil, false, err
	}
	if n > maxPickle {
		return nil, false, fmt.Errorf("data.pkl has %d bytes; at most %d are read", n, maxPickle)
	}
	r, err := pickle.Open()
	if err != nil {
		return nil, false, err
	}
	defer r.Close()
	v, _, err = unpickle(bufio.NewReader(r), n, a.load)
	return v, a.bigs, err
}

// readOrder reads the byte order.
func (a *archive) readOrder() error {
	f := a.files[a.root+"byteorder"]
	if f == nil {
		return nil
	}
	r, err := f.Open()
	if err != nil {
		return fmt.Errorf("byteorder: %w", err)
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, 16))
	switch {
	case err != nil:
		return fmt.Errorf("byteorder: %w", err)
	case string(b) != "little" && string(b) != "big":
		return fmt.Errorf("byteorder is %q; want little or big", plain.Name(string(b)))
	}
	a.bigs = string(b) == "big"
	return nil
}

// place returns where the bytes of f are in the file.
func (a *archive) place(f *zip.File) (at, n int64, err error) {
	at, err = f.DataOffset()
	switch {
	case err != nil:
		return 0, 0, fmt.Errorf("%s: %w", plain.Name(f.Name), err)
	case f.Method != zip.Store:
		return 0, 0, fmt.Errorf("%s is compressed; torch.save stores what it writes as it is", plain.Name(f.Name))
	case f.UncompressedSize64 > uint64(a.size) || at > a.size-int64(f.UncompressedSize64):
		return 0, 0, fmt.Errorf("%s claims %d bytes, and the file has %d", plain.Name(f.Name), f.UncompressedSize64, a.size)
	}
	return at, int64(f.UncompressedSize64), nil
}

// load returns the storage of a persistent id: ("storage", class, key, device, elements).
func (a *archive) load(id any) (any, error) {
	s, err := newStorage(id)
	if err != nil {
		return nil, err
	}
	if old := a.known[s.key]; old != nil && old.dtype == s.dtype && old.len == s.len {
		return old, nil
	}
	f := a.files[a.root+"data/"+s.key]
	if f == nil {
		return nil, fmt.Errorf("the archive has no data/%s", plain.Name(s.key))
	}
	if s.at, s.bytes, err = a.place(f); err != nil {
		return nil, err
	}
	if s.bytes/int64(s.width) < s.len {
		return nil, fmt.Errorf("storage %s claims %d elements of %d bytes, and has %d bytes", plain.Name(s.key), s.len, s.width, s.bytes)
	}
	a.known[s.key] = s
	return s, nil
}

// newStorage returns the storage that an id describes, without its place.
func newStorage(id any) (*storage, error) {
	t, ok := id.(tuple)
	if !ok || len(t) < 5 || t[0] != any("storage") {
		return nil, fmt.Errorf("a persistent id is %s; want that of a storage", kind(id))
	}
	e, known := elementOf(t[1])
	key, named := t[2].(string)
	n, counted := t[4].(int64)
	switch {
	case !known:
		return nil, fmt.Errorf("a storage is of %s, which is not supported", kind(t[1]))
	case !named || !counted || n < 0:
		return nil, fmt.Errorf("the storage %s has %s elements", kind(t[2]), kind(t[4]))
	}
	return &storage{key: key, width: e.width, dtype: e.dtype, len: n}, nil
}
