package patterns

import (
	"cmp"
	"slices"
	"strings"
)

// near returns at most three of the names that are most like word, which is none of them. Words with a
// * are compared with names whose last part, behind a dot, is a *.
func near(word string, names []string) []string {
	const most, compared, longest = 3, 4096, 100
	type candidate struct {
		name     string
		distance int
	}
	var all []candidate
	seen := map[string]bool{}
	for _, name := range names[:min(len(names), compared)] {
		if i := strings.LastIndexByte(name, '.'); i >= 0 && strings.Contains(word, "*") {
			name = name[:i+1] + "*"
		}
		if seen[name] || len(name) > longest || len(word) > longest {
			continue
		}
		seen[name] = true
		if d := distance(word, name); d <= max(2, len(word)/3) {
			all = append(all, candidate{name, d})
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Compare(a.distance, b.distance) })
	var found []string
	for _, c := range all[:min(len(all), most)] {
		found = append(found, c.name)
	}
	return found
}

// distance returns how many bytes have to be put in, taken out or changed to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
