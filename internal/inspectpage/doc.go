// Package inspectpage presents the results of package inspect for a network as one self-contained
// HTML page, for the command inspect of the demo.
//
// Knows inspect, viz, data, shape. Never imports vm, engine or cmd.
package inspectpage
