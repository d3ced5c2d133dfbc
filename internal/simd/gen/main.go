// Command gen writes the assembly of package simd and its Go declarations.
//
//	go run . -dir ..
//
// It is a module of its own, so that users of the library never download avo.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"go/format"
	"log"
	"os"
	"path/filepath"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
)

// files lists what is generated: a file NAME_amd64.s and its declarations NAME_amd64.go. write
// returns Go text to append to the declarations.
var files = []struct {
	name  string
	write func(*build.Context) string
}{
	{"cpuid", cpuid},
	{"vector_avx2", func(c *build.Context) string { return vector(avx2(c)) }},
	{"vector_avx512", func(c *build.Context) string { return vector(avx512(c)) }},
	{"pool_avx2", func(c *build.Context) string { return pools(avx2(c)) }},
	{"pool_avx512", func(c *build.Context) string { return pools(avx512(c)) }},
	{"gradpanel_avx2", func(c *build.Context) string { return gradPanels(avx2(c)) }},
	{"gradpanel_avx512", func(c *build.Context) string { return gradPanels(avx512(c)) }},
	{"lanes_avx2", func(c *build.Context) string { return lanes16(avx2(c)) }},
	{"lanes_avx512", func(c *build.Context) string { return lanes16(avx512(c)) }},
	{"winograd_avx2", func(c *build.Context) string { return winograd(avx2(c)) }},
	{"winograd_avx512", func(c *build.Context) string { return winograd(avx512(c)) }},
	{"philox_avx2", func(c *build.Context) string { return philox(avx2(c)) }},
	{"philox_avx512", func(c *build.Context) string { return philox(avx512(c)) }},
	{"gemm_avx2", func(c *build.Context) string { return gemm(avx2(c)) }},
	{"gemm_avx512", func(c *build.Context) string { return gemm(avx512(c)) }},
}

func main() {
	log.SetFlags(0)
	dir := flag.String("dir", "..", "folder to write to")
	flag.Parse()
	for _, f := range files {
		if err := generate(*dir, f.name, f.write); err != nil {
			log.Fatalf("%s: %v", f.name, err)
		}
	}
}

func generate(dir, name string, write func(*build.Context) string) error {
	c := build.NewContext()
	c.ConstraintExpr("amd64")
	more := write(c)
	file, err := c.Result()
	if err != nil {
		return err
	}
	if err := pass.Compile.Execute(file); err != nil {
		return err
	}
	if err := checkFrames(file); err != nil {
		return err
	}
	cfg := printer.Config{Name: "internal/simd/gen", Pkg: "simd"}
	asm, err1 := printer.NewGoAsm(cfg).Print(file)
	decl, err2 := printer.NewStubs(cfg).Print(file)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	decl, err = format.Source(append(decl, more...))
	if err != nil {
		return err
	}
	base := filepath.Join(dir, name+"_amd64")
	return errors.Join(
		os.WriteFile(base+".s", append(bytes.TrimSpace(asm), '\n'), 0o644),
		os.WriteFile(base+".go", decl, 0o644))
}

// checkFrames holds the rule that no kernel needs stack: avo adds a frame silently where it
// spills the base pointer.
func checkFrames(file *ir.File) error {
	for _, fn := range file.Functions() {
		if fn.FrameBytes() != 0 {
			return fmt.Errorf("%s has a frame of %d bytes", fn.Name, fn.FrameBytes())
		}
	}
	return nil
}
