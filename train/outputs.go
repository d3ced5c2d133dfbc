package train

import (
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/graph"
)

// Outputs are the nodes that a program of a [Network] computes for a batch.
type Outputs struct {
	Loss   *graph.Node // a scalar
	Output *graph.Node // of the model; axis 0 is the examples
	Rate   *graph.Node // the learning rate, a float64 scalar; nil except in training
}

// Nodes lists the nodes that are not nil, in the order of the fields, to compile them.
func (o Outputs) Nodes() []*graph.Node {
	var nodes []*graph.Node
	for _, n := range []*graph.Node{o.Loss, o.Output, o.Rate} {
		if n != nil {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// evaluationOf returns Outputs with the given loss and output.
func evaluationOf(nodes []*graph.Node) Outputs { return Outputs{Loss: nodes[0], Output: nodes[1]} }

// results are the values of Outputs, or those that Gradients compute.
type results struct {
	loss, output, rate *tensor.Dense
	grads              []*tensor.Dense
	states             []*tensor.Dense // the next values of what is measured over all shards
	shard              shardInputs
}

// resultsOf assigns the values of [Outputs.Nodes] to fields.
func resultsOf(values []*tensor.Dense) results {
	r := results{loss: values[0], output: values[1]}
	if len(values) > 2 {
		r.rate = values[2]
	}
	return r
}
