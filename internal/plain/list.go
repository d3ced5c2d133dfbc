package plain

import (
	"fmt"
	"strings"
)

// List joins the first most texts by commas, and counts the others: "a, b and 3 more".
func List(texts []string, most int) string {
	if len(texts) <= most {
		return strings.Join(texts, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(texts[:most], ", "), len(texts)-most)
}

// Names returns the [List] of names, each formatted by [Name].
func Names(names []string, most int) string {
	shown := make([]string, len(names))
	for i, n := range names[:min(len(names), most)] {
		shown[i] = Name(n)
	}
	return List(shown, most)
}
