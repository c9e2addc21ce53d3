"""What several families of systems share: linear outputs under the square loss, tables with an honest split."""
