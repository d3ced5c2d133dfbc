package pytorch

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/plexaura/plexaura/internal/plain"
)

// legacyMagic is the first pickle of a file from before PyTorch 1.6, an integer of ten bytes.
const legacyMagic = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"

// legacyStart begins such a file: that pickle in protocol 2.
const legacyStart = "\x80\x02\x8a\x0a" + legacyMagic

// legacy is a file from before PyTorch 1.6: a magic number, a version, facts about the system, the object, the
// keys of the storages, each a pickle; then each storage, as its number of elements and the elements.
type legacy struct {
	in    *bufio.Reader
	size  int64
	at    int64 // of what is read next
	found map[string]*storage
}

func readLegacy(in io.ReaderAt, size int64) (v any, bigEndian bool, err error) {
	l := &legacy{in: bufio.NewReader(io.NewSectionReader(in, 0, size)), size: size, found: map[string]*storage{}}
	var parts [5]any
	for i := range parts {
		if parts[i], err = l.next(); err != nil {
			return nil, false, err
		}
	}
	system, ok := parts[2].(*dict)
	keys, listed := parts[4].(*list)
	switch {
	case parts[0] != any(big{legacyMagic}) || parts[1] != any(int64(1001)):
		return nil, false, errors.New("it is no file of torch.save, or of an unknown version")
	case !ok || !listed:
		return nil, false, fmt.Errorf("facts about the system are %s, the keys of storages %s", kind(parts[2]), kind(parts[4]))
	}
	little, _ := system.get("little_endian")
	bigEndian = little == any(false)
	if err := l.placeAll(in, keys, bigEndian); err != nil {
		return nil, false, err
	}
	return parts[3], bigEndian, nil
}

// next runs the next pickle.
func (l *legacy) next() (any, error) {
	v, n, err := unpickle(l.in, min(l.size-l.at, maxPickle), l.load)
	l.at += n
	return v, err
}

// load returns the storage of a persistent id. Its place is known once everything is read, so that it
// claims what the file could have.
func (l *legacy) load(id any) (any, error) {
	s, err := newStorage(id)
	if err != nil {
		return nil, err
	}
	if t := id.(tuple); len(t) > 5 && t[5] != nil {
		return nil, errors.New("a storage is a part of another one, which is not supported")
	}
	if old := l.found[s.key]; old != nil {
		if old.dtype != s.dtype || old.len != s.len {
			return nil, fmt.Errorf("storage %s has two types", plain.Name(s.key))
		}
		return old, nil
	}
	if s.len > l.size/int64(s.width) {
		return nil, fmt.Errorf("storage %s claims %d elements of %d bytes, and the file has %d bytes", plain.Name(s.key), s.len, s.width, l.size)
	}
	s.bytes = s.len * int64(s.width)
	l.found[s.key] = s
	return s, nil
}

// placeAll finds the storages in the file.
func (l *legacy) placeAll(in io.ReaderAt, keys *list, bigEndian bool) error {
	order := binary.ByteOrder(binary.LittleEndian)
	if bigEndian {
		order = binary.BigEndian
	}
	for _, k := range keys.items {
		key, ok := k.(string)
		s := l.found[key]
		if !ok || s == nil || s.at != 0 {
			return fmt.Errorf("the key of a storage is %s, or not used, or there twice", kind(k))
		}
		var b [8]byte
		if _, err := in.ReadAt(b[:], l.at); err != nil {
			return fmt.Errorf("storage %s: %w", plain.Name(key), cutOffFile(err))
		}
		if n := order.Uint64(b[:]); n > math.MaxInt64 || int64(n) != s.len {
			return fmt.Errorf("storage %s has %d elements in one place and %d in another", plain.Name(key), n, s.len)
		}
		s.at = l.at + int64(len(b))
		if s.bytes > l.size-s.at {
			return fmt.Errorf("storage %s: %w", plain.Name(key), errTruncated)
		}
		l.at = s.at + s.bytes
	}
	for key, s := range l.found {
		if s.at == 0 {
			return fmt.Errorf("the file has no storage %s", plain.Name(key))
		}
	}
	return nil
}

var errTruncated = errors.New("the file is truncated")

func cutOffFile(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errTruncated
	}
	return err
}
