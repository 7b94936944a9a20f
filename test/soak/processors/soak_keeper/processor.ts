import '../soak_step/processor.ts';
