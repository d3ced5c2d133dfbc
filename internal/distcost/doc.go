// Package distcost predicts how long a training step takes on several ranks, from constants that
// were measured on few. docs/DISTRIBUTED.md has its table, and says what was measured.
//
// Knows nothing. Never imports anything of ours.
package distcost
