package lecture

import (
	"bytes"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"strings"
)

//go:embed *.go
var sources embed.FS

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Funcs(template.FuncMap{"inline": inline, "unbroken": unbroken}).Parse(pageText))

// Section is a chapter with what it wrote.
type Section struct {
	Chapter
	Board *Board
}

// Code is the file of the chapter, from below its imports on.
func (s Section) Code() (string, error) {
	text, err := sources.ReadFile(s.Name + ".go")
	if err != nil {
		return "", err
	}
	_, code, found := strings.Cut(string(text), "\n)\n")
	if !found {
		return "", fmt.Errorf("lecture: %s.go has no imports", s.Name)
	}
	return strings.TrimSpace(code), nil
}

// Page returns the lecture as one HTML page that needs no other file: what every chapter says, its
// numbers, its figures, its code and its papers.
func Page(sections []Section) ([]byte, error) {
	var b bytes.Buffer
	if err := page.Execute(&b, sections); err != nil {
		return nil, fmt.Errorf("lecture: the page: %w", err)
	}
	return b.Bytes(), nil
}

// unbroken keeps a percent sign on the line of its number.
func unbroken(text string) string { return strings.ReplaceAll(text, " %", "\u00a0%") }

// inline is a picture as an address that holds the picture itself.
func inline(f Figure) template.URL {
	kind := "image/png"
	if strings.HasSuffix(f.Name, ".svg") {
		kind = "image/svg+xml"
	}
	return template.URL("data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(f.Data))
}
