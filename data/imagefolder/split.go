package imagefolder

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"math"
	"path/filepath"
	"slices"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/shape"
)

// Split lists the pictures of dir/CLASS/..., of which none are set apart for validation, in the same
// way as [Load], and keeps the given fraction of each class, between 0 and 1, for validation, at least
// one picture and not all. Which ones depends only on their names, so that the same pictures are kept
// wherever the folder is and in whatever order it lists them.
func Split(ctx context.Context, dir string, wide, input shape.Shape, p data.Preprocess, fraction float64) (train, validation *Folder, err error) {
	if !(fraction > 0 && fraction < 1) {
		return nil, nil, fmt.Errorf("imagefolder: a fraction of %v for validation; want a number between 0 and 1", fraction)
	}
	if train, err = Open(ctx, dir, wide, p); err != nil {
		return nil, nil, err
	}
	kept := *train
	kept.info.Input.Shape, kept.leftOut = input, nil
	if err := kept.check(); err != nil {
		return nil, nil, fmt.Errorf("imagefolder: %w", err)
	}
	all := train.files
	train.files, kept.files = nil, nil
	for len(all) > 0 { // files are sorted by class
		n := 1
		for n < len(all) && all[n].class == all[0].class {
			n++
		}
		if n == 1 {
			return nil, nil, fmt.Errorf("imagefolder: %s has only one picture, %s; want two, one of them for validation",
				filepath.Join(dir, train.folders[all[0].class]), all[0].path)
		}
		in, out := divided(all[:n], train.folders[all[0].class], fraction)
		train.files, kept.files = append(train.files, in...), append(kept.files, out...)
		all = all[n:]
	}
	return train, &kept, nil
}

// divided divides the pictures of a class by the order of the hashes of their names.
func divided(files []file, class string, fraction float64) (in, out []file) {
	hash := func(f file) []byte {
		h := sha256.Sum256([]byte(class + "/" + filepath.ToSlash(f.path)))
		return h[:]
	}
	hashes := map[string][]byte{}
	for _, f := range files {
		hashes[f.path] = hash(f)
	}
	order := slices.Clone(files)
	slices.SortFunc(order, func(a, b file) int { return bytes.Compare(hashes[a.path], hashes[b.path]) })
	n := min(max(int(math.Round(fraction*float64(len(files)))), 1), len(files)-1)
	last := hashes[order[n-1].path]
	for _, f := range files {
		if bytes.Compare(hashes[f.path], last) <= 0 {
			out = append(out, f)
		} else {
			in = append(in, f)
		}
	}
	return in, out
}
