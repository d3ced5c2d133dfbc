package vm

import "math"

// network is a flow network, represented by residual capacities.
type network struct {
	edges []edge
	from  [][]int // the edges of each node
}

type edge struct{ to, room int } // the reverse edge is the next one, or the one before

func newNetwork(nodes int) *network { return &network{from: make([][]int, nodes)} }

// add adds a node.
func (n *network) add() int {
	n.from = append(n.from, nil)
	return len(n.from) - 1
}

// join adds an edge from a to b of capacity room.
func (n *network) join(a, b, room int) {
	n.from[a] = append(n.from[a], len(n.edges))
	n.from[b] = append(n.from[b], len(n.edges)+1)
	n.edges = append(n.edges, edge{b, room}, edge{a, 0})
}

// saturate maximises the flow from a to b (E. A. Dinic, 1970), along all shortest paths of one
// length at a time.
func (n *network) saturate(a, b int) {
	for {
		depth := n.depths(a)
		if depth[b] < 0 {
			return
		}
		next := make([]int, len(n.from))
		for n.push(a, b, math.MaxInt, depth, next) > 0 {
		}
	}
}

// depths returns the number of edges with room on the shortest path from a to each node, or -1.
func (n *network) depths(a int) []int {
	depth := make([]int, len(n.from))
	for i := range depth {
		depth[i] = -1
	}
	depth[a] = 0
	for queue := []int{a}; len(queue) > 0; queue = queue[1:] {
		for _, e := range n.from[queue[0]] {
			if to := n.edges[e]; to.room > 0 && depth[to.to] < 0 {
				depth[to.to] = depth[queue[0]] + 1
				queue = append(queue, to.to)
			}
		}
	}
	return depth
}

// push sends at most most along one path and returns the amount. next is the first edge to try at
// each node; the edges before it lead nowhere.
func (n *network) push(at, b, most int, depth, next []int) int {
	if at == b {
		return most
	}
	for ; next[at] < len(n.from[at]); next[at]++ {
		e := n.from[at][next[at]]
		if to := n.edges[e]; to.room > 0 && depth[to.to] == depth[at]+1 {
			if went := n.push(to.to, b, min(most, to.room), depth, next); went > 0 {
				n.take(e, went)
				return went
			}
		}
	}
	return 0
}

// take moves capacity from an edge to its reverse. An edge without limit keeps it.
func (n *network) take(e, went int) {
	if n.edges[e].room < math.MaxInt {
		n.edges[e].room -= went
	}
	if n.edges[e^1].room < math.MaxInt {
		n.edges[e^1].room += went
	}
}

// reaching reports for each node whether it reaches b along edges with room.
func (n *network) reaching(b int) []bool {
	reaches := make([]bool, len(n.from))
	reaches[b] = true
	for queue := []int{b}; len(queue) > 0; queue = queue[1:] {
		for _, e := range n.from[queue[0]] {
			back := n.edges[e^1] // from the neighbour to this node
			if at := n.edges[e].to; back.room > 0 && !reaches[at] {
				reaches[at] = true
				queue = append(queue, at)
			}
		}
	}
	return reaches
}
