package examples_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/graph"
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
