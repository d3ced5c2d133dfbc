package main

import "github.com/plexaura/plexaura/optim"

// schedules are the ways to change the learning rate that the -schedule flag knows by name.
// Each is given the steps of an epoch.
func schedules() map[string]func(s settings, perEpoch int) optim.Schedule {
	return map[string]func(s settings, perEpoch int) optim.Schedule{
		bySteps: func(s settings, perEpoch int) optim.Schedule {
			return optim.Step{Every: s.Step * perEpoch, Gamma: s.Gamma}
		},
		onPlateau: constant,
		"cosine": func(s settings, perEpoch int) optim.Schedule {
			return optim.Cosine{Steps: s.Epochs * perEpoch}
		},
		"onecycle": func(s settings, perEpoch int) optim.Schedule {
			return optim.OneCycle{Steps: max(2, s.Epochs*perEpoch)}
		},
	}
}

// bySteps does not depend on the number of epochs, so that a longer run can go on where a
// shorter one stopped.
const bySteps = "steps"
