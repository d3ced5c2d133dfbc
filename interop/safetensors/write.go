package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/plexaura/plexaura/internal/atomicfile"
)

// WriteFile replaces the file at path by f. If it is interrupted at any point, even by a power
// failure, the file is either the old or the new one, complete.
func WriteFile(path string, f File) error {
	return atomicfile.Write(path, func(w io.Writer) error { return Write(w, f) })
}

// Write writes f to w. Equal Files give equal bytes, for any order of the tensors: the data are
// sorted by element type, wide ones first, then by name. Every tensor is therefore aligned to its
// elements, and the data to 8 bytes.
func Write(w io.Writer, f File) error {
	if w == nil {
		return errors.New("safetensors: nil writer")
	}
	order, err := arrange(f.Tensors)
	if err != nil {
		return fmt.Errorf("safetensors: %w", err)
	}
	head, err := headerOf(f.Metadata, order)
	if err != nil {
		return fmt.Errorf("safetensors: %w", err)
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	for _, t := range order {
		if _, err := w.Write(t.Data); err != nil {
			return err
		}
	}
	return nil
}

// arrange checks the tensors and returns them in the order of the file.
func arrange(tensors []Tensor) ([]Tensor, error) {
	order := slices.SortedFunc(slices.Values(tensors), byName)
	for i, t := range order {
		if t.Name == metadataKey || !utf8.ValidString(t.Name) {
			return nil, fmt.Errorf("%q cannot be the name of a tensor", t.Name)
		}
		if i > 0 && t.Name == order[i-1].Name {
			return nil, fmt.Errorf("two tensors are named %q", t.Name)
		}
		if err := t.check(); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
		}
	}
	slices.SortStableFunc(order, func(a, b Tensor) int {
		return cmp.Or(cmp.Compare(row(a.DType()), row(b.DType())), strings.Compare(a.DType(), b.DType()))
	})
	return order, nil
}

// headerOf returns everything before the data. Its length is a multiple of 8 bytes.
func headerOf(metadata map[string]string, order []Tensor) ([]byte, error) {
	var b bytes.Buffer
	b.Write(make([]byte, 8))
	b.WriteByte('{')
	if len(metadata) > 0 {
		for k, v := range metadata {
			if !utf8.ValidString(k) || !utf8.ValidString(v) {
				return nil, fmt.Errorf("metadata %q is not UTF-8", k)
			}
		}
		field(&b, metadataKey, metadata)
	}
	begin := 0
	for _, t := range order {
		field(&b, t.Name, struct {
			DType   string  `json:"dtype"`
			Shape   []int64 `json:"shape"`
			Offsets [2]int  `json:"data_offsets"`
		}{t.DType(), append([]int64{}, t.extents()...), [2]int{begin, begin + len(t.Data)}})
		begin += len(t.Data)
	}
	b.WriteByte('}')
	b.WriteString(strings.Repeat(" ", (8-b.Len()%8)%8))
	if b.Len()-8 > maxHeader {
		return nil, errors.New("names and metadata exceed the 100 MB of a header")
	}
	binary.LittleEndian.PutUint64(b.Bytes(), uint64(b.Len()-8))
	return b.Bytes(), nil
}

// field appends a key and its value to an object. Neither can fail to encode.
func field(b *bytes.Buffer, key string, value any) {
	if last := b.Bytes()[b.Len()-1]; last != '{' {
		b.WriteByte(',')
	}
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	for _, v := range []any{key, value} {
		_ = enc.Encode(v)
		b.Truncate(b.Len() - 1) // drop the encoder's newline
		b.WriteByte(':')
	}
	b.Truncate(b.Len() - 1)
}

func byName(a, b Tensor) int { return strings.Compare(a.Name, b.Name) }
