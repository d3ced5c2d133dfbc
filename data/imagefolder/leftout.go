package imagefolder

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// LeftOut describes files in a folder of pictures that are left out of the dataset, all for the
// same reason.
type LeftOut struct {
	What  string // the extension, such as ".webp", or another reason, "links to folders"
	Count int
	First string // the path of the first file
}

// String returns "12 .webp (the first is PATH)".
func (l LeftOut) String() string {
	return fmt.Sprintf("%d %s (the first is %s)", l.Count, l.What, l.First)
}

// LeftOut lists the files that [Open] left out, the most frequent kind first: files in the classes'
// folders whose extension is not that of a picture, links to folders, broken links, pipes and
// devices, and pictures outside the classes' folders. Hidden files, whose names begin with a dot,
// are not counted.
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

// leftOut counts files that are left out, by the reason.
type leftOut map[string]LeftOut

// add counts the file at path.
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

// maxReasons is the largest number of extensions that are counted separately: each file may have
// its own.
const maxReasons = 100

// outside counts a picture outside the folders of the classes.
func (l *leftOut) outside(path string) {
	if isPicture(strings.ToLower(filepath.Ext(path))) {
		l.add("pictures in no class", path)
	}
}
