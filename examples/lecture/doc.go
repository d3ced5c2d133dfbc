// Package lecture is the lecture on deep learning that the project grew out of, as programs: a
// chapter for each topic, in a file that reads like one. A chapter measures what it claims, prints
// the numbers and draws figures.
//
//	go run ./cmd/demo lecture            # lists the chapters
//	go run ./cmd/demo lecture sobel      # one of them
//	go run ./cmd/demo lecture all        # a page of them all
//
// A chapter is a function that writes on a Board. The table of chapters is in chapters.go, the page
// in page.go, and code that several chapters share in tools.go.
//
// Knows everything that a user may import, and viz to draw. Never imports cmd/demo.
package lecture
