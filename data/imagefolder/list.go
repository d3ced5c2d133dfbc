package imagefolder

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/plexaura/plexaura/data/picture"
)

// list lists the classes and their pictures.
func (f *Folder) list(ctx context.Context) error {
	if err := f.listClasses(); err != nil {
		return err
	}
	for class := range f.folders {
		if err := f.listClass(ctx, int32(class)); err != nil {
			return err
		}
	}
	if len(f.files) == 0 {
		return fmt.Errorf("%s has no folders with pictures, one for each class", f.dir)
	}
	return nil
}

// listClasses finds the folders of the classes, which may be links. A name that Unicode can
// represent in several ways, such as "é", becomes a class in its composed form (NFC), whichever
// form is stored.
func (f *Folder) listClasses() error {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return err
	}
	byName := map[string]string{}
	for _, e := range entries {
		path := filepath.Join(f.dir, e.Name())
		if hidden(e) {
			continue
		}
		if !isFolder(path) {
			f.leftOut.outside(path)
			continue
		}
		name := norm.NFC.String(e.Name())
		other, taken := byName[name]
		switch {
		case !utf8.ValidString(name):
			return fmt.Errorf("%q is a class whose name is not in UTF-8; rename the folder", path)
		case taken:
			return fmt.Errorf("%s has two folders of the class %q, in two forms of Unicode, %+q and %+q; move the pictures of both into one", f.dir, name, other, e.Name())
		}
		byName[name] = e.Name()
		f.info.Classes = append(f.info.Classes, name)
	}
	slices.Sort(f.info.Classes)
	for _, name := range f.info.Classes {
		f.folders = append(f.folders, byName[name])
	}
	return nil
}

// listClass adds all pictures in the folder of a class and below.
func (f *Folder) listClass(ctx context.Context, class int32) error {
	before := len(f.files)
	err := f.listBelow(ctx, class, ".")
	if err == nil && len(f.files) == before {
		err = fmt.Errorf("no pictures, %s", strings.Join(picture.Extensions(), ", "))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(f.dir, f.folders[class]), err)
	}
	return nil
}

// listBelow adds the pictures in a folder below that of a class.
func (f *Folder) listBelow(ctx context.Context, class int32, below string) error {
	dir := filepath.Join(f.dir, f.folders[class], below)
	entries, err := os.ReadDir(dir) // sorted by name
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(below, e.Name())
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case hidden(e):
		case e.IsDir():
			if err := f.listBelow(ctx, class, path); err != nil {
				return err
			}
		default:
			if why := unreadable(filepath.Join(dir, e.Name()), e); why != "" {
				f.leftOut.add(why, filepath.Join(dir, e.Name()))
				continue
			}
			f.files = append(f.files, file{path, class})
		}
	}
	return nil
}

// unreadable returns the reason why a file is left out: its extension is not that of a picture, or
// it is not a regular file or a link to one.
func unreadable(path string, e fs.DirEntry) string {
	mode := e.Type()
	if mode&fs.ModeSymlink != 0 {
		info, err := os.Stat(path)
		if err != nil {
			return "links that lead nowhere"
		}
		if mode = info.Mode(); mode.IsDir() {
			return "links to folders"
		}
	}
	switch ending := strings.ToLower(filepath.Ext(e.Name())); {
	case !mode.IsRegular():
		return "no regular files"
	case isPicture(ending):
		return ""
	case ending == "":
		return "files without ending"
	default:
		return ending
	}
}

// isPicture tells the endings of pictures, in lower case.
func isPicture(ending string) bool { return slices.Contains(picture.Extensions(), ending) }

// isFolder follows links.
func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func hidden(e fs.DirEntry) bool { return strings.HasPrefix(e.Name(), ".") }
