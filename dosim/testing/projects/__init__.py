"""Exploring a project folder without any test: rules that hold of every project, tried with programs made up."""

from dosim.testing.projects.exploring import ProjectExploration, explore_project, subject_at

__all__ = ["ProjectExploration", "explore_project", "subject_at"]
