// Package inspectpage draws what package inspect computes of a network as one HTML page that needs
// no other file: for the command inspect of the demo.
//
// Knows inspect, viz, data, shape. Never imports vm, engine or cmd.
package inspectpage
