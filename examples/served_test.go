package examples_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/interop/onnx"
	"github.com/plexaura/plexaura/interop/onnx/serving"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/serve"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// Any compiled program whose rows are independent can be served.
func Example_serve() {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 2))
	program, err := vm.Compile(cpu.New(), []*graph.Node{ops.Square(x)})
	if err != nil {
		log.Fatal(err)
	}
	square, err := serve.NewProgram(program, vm.NewStore(1), serve.ProgramOptions{Outputs: []string{"y"}})
	if err != nil {
		log.Fatal(err)
	}
	server, err := serve.New(serve.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close(context.Background())
	if err := server.Add("square", square, nil); err != nil {
		log.Fatal(err)
	}

	web := httptest.NewServer(server) // an http.Handler
	defer web.Close()
	response, err := http.Post(web.URL+"/v2/models/square/infer", "application/json",
		strings.NewReader(`{"inputs": [{"name": "x", "datatype": "FP32", "shape": [2, 2], "data": [1, 2, 3, 4]}]}`))
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(body))
	// Output:
	// {"model_name":"square","model_version":"1","outputs":[{"name":"y","datatype":"FP32","shape":[2,2],"data":[1,4,9,16]}]}
}

// Example_serveONNX serves a file, which other tools may have written as well.
func Example_serveONNX() {
	dir, err := os.MkdirTemp("", "plexaura")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "halves.onnx")
	g := graph.New()
	y := ops.MulScalar(g.Input("x", shape.F32(shape.N, 2)), 0.5)
	if err := onnx.WriteFile(path, []*graph.Node{y}, vm.NewStore(1), onnx.ExportOptions{}); err != nil {
		log.Fatal(err)
	}

	server, err := serve.New(serve.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close(context.Background())
	if err := addFile(server, path); err != nil {
		log.Fatal(err)
	}
	web := httptest.NewServer(server)
	defer web.Close()
	response, err := http.Post(web.URL+"/v2/models/halves/infer", "application/json",
		strings.NewReader(`{"inputs": [{"name": "x", "datatype": "FP32", "shape": [2, 2], "data": [1, 2, 3, 4]}]}`))
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(body))
	// Output:
	// {"model_name":"halves","model_version":"1","outputs":[{"name":"output","datatype":"FP32","shape":[2,2],"data":[0.5,1,1.5,2]}]}
}

// addFile has a server serve an ONNX file.
func addFile(server *serve.Server, path string) error {
	m, err := onnx.ReadFile(path, onnx.Options{})
	if err != nil {
		return err
	}
	model, err := serving.New(m, cpu.New(), serving.Options{})
	if err != nil {
		return err
	}
	return server.Add("halves", model, nil)
}
