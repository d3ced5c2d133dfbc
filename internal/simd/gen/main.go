// Command gen writes the assembly of the rooms of package simd and its Go declarations.
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

// files lists what is generated, room by room: a file NAME_amd64.s and its declarations
// NAME_amd64.go. write returns Go text to append to the declarations.
var files = []struct {
	room, name string
	write      func(*build.Context) string
}{
	{"isa", "cpuid", cpuid},
	{"gemm", "gemm_avx2", func(c *build.Context) string { return gemm(avx2(c)) }},
	{"gemm", "gemm_avx512", func(c *build.Context) string { return gemm(avx512(c)) }},
	{"vec", "vec_avx2", func(c *build.Context) string { return vectors(avx2(c)) }},
	{"vec", "vec_avx512", func(c *build.Context) string { return vectors(avx512(c)) }},
	{"totals", "totals_avx2", func(c *build.Context) string { return alongRuns(avx2(c)) }},
	{"totals", "totals_avx512", func(c *build.Context) string { return alongRuns(avx512(c)) }},
	{"random", "random_avx2", func(c *build.Context) string { return philox(avx2(c)) }},
	{"random", "random_avx512", func(c *build.Context) string { return philox(avx512(c)) }},
	{"pool", "pool_avx2", func(c *build.Context) string { return pools(avx2(c)) }},
	{"pool", "pool_avx512", func(c *build.Context) string { return pools(avx512(c)) }},
	{"attention", "attention_avx2", func(c *build.Context) string { return attentions(avx2(c)) }},
	{"attention", "attention_avx512", func(c *build.Context) string { return attentions(avx512(c)) }},
	{"conv", "conv_avx2", func(c *build.Context) string { return convolution(avx2(c)) }},
	{"conv", "conv_avx512", func(c *build.Context) string { return convolution(avx512(c)) }},
	{"winograd", "winograd_avx2", func(c *build.Context) string { return winograd(avx2(c)) }},
	{"winograd", "winograd_avx512", func(c *build.Context) string { return winograd(avx512(c)) }},
	{"nhwc", "nhwc_avx2", func(c *build.Context) string { return slides(avx2(c)) }},
	{"nhwc", "nhwc_avx512", func(c *build.Context) string { return slides(avx512(c)) }},
	{"quant", "quant_avx2", func(c *build.Context) string { return quants(avx2(c)) }},
	{"quant", "quant_avx512", func(c *build.Context) string { return quants(avx512(c)) }},
	{"interleaved", "interleaved_avx2", func(c *build.Context) string { return interleaved(avx2(c)) }},
	{"interleaved", "interleaved_avx512", func(c *build.Context) string { return interleaved(avx512(c)) }},
}

func main() {
	log.SetFlags(0)
	dir := flag.String("dir", "..", "folder of the rooms to write to")
	flag.Parse()
	for _, f := range files {
		if err := generate(*dir, f.room, f.name, f.write); err != nil {
			log.Fatalf("%s: %v", f.name, err)
		}
	}
}

func generate(dir, room, name string, write func(*build.Context) string) error {
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
	cfg := printer.Config{Name: "internal/simd/gen", Pkg: room}
	asm, err1 := printer.NewGoAsm(cfg).Print(file)
	decl, err2 := printer.NewStubs(cfg).Print(file)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	decl, err = format.Source(append(decl, more...))
	if err != nil {
		return err
	}
	base := filepath.Join(dir, room, name+"_amd64")
	if err := os.MkdirAll(filepath.Dir(base), 0o755); err != nil {
		return err
	}
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
