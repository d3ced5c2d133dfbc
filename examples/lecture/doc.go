// Package lecture is the lecture on deep learning that the project grew out of, as programs: a
// chapter for each thing that it shows, in a file of its own that reads like one. What a chapter
// claims it measures, and prints as numbers; what it shows it draws.
//
//	go run ./cmd/demo lecture            # lists the chapters
//	go run ./cmd/demo lecture sobel      # one of them
//	go run ./cmd/demo lecture all        # a page of them all
//
// A chapter is a function that writes on a Board. The table of them is in chapters.go, the page is
// made in page.go, and what several chapters share stands in tools.go.
//
// Knows everything that a user may import, and viz to draw. Never imports cmd/demo.
package lecture
