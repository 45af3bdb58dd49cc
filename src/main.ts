#!/usr/bin/env node
// The executable: calls cli/process-io, nothing else.
import { runProcess } from './cli/process-io.ts'

void runProcess()
