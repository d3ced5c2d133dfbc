package imagefolder

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// LeftOut says what, in a folder of pictures, is not in the dataset, for one reason.
type LeftOut struct {
	What  string // the ending of files that are not PNG or JPEG, ".webp", or what else it is, "links to folders"
	Count int
	First string // the path of the first
}

// String returns "12 .webp (the first is PATH)".
func (l LeftOut) String() string {
	return fmt.Sprintf("%d %s (the first is %s)", l.Count, l.What, l.First)
}

// LeftOut lists what [Open] has left out, the most frequent first: files in the classes' folders
// that are no pictures by their ending, links to folders, links that lead nowhere, pipes and
// devices, and pictures that stand beside the classes' folders. What is hidden, with a name that
// begins with a dot, is not counted.
func (f *Folder) LeftOut() []LeftOut {
	if f == nil {
		return nil
	}
	all := slices.Collect(maps.Values(f.leftOut))
	slices.SortFunc(all, func(a, b LeftOut) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.What, b.What))
	})
	return all
}

// leftOut counts what is left out, by the reason.
type leftOut map[string]LeftOut

// add counts what is at path.
func (l *leftOut) add(what, path string) {
	if *l == nil {
		*l = leftOut{}
	}
	have, ok := (*l)[what]
	if !ok && len(*l) >= maxReasons {
		what = "of other endings"
		have, ok = (*l)[what]
	}
	if !ok {
		have = LeftOut{What: what, First: path}
	}
	have.Count++
	(*l)[what] = have
}

// maxReasons bounds the endings that are told apart: each file may have its own.
const maxReasons = 100

// outside counts a picture that stands beside the folders of the classes.
func (l *leftOut) outside(path string) {
	if isPicture[strings.ToLower(filepath.Ext(path))] {
		l.add("pictures in no class", path)
	}
}
