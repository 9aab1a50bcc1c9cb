"""What a table is: numbers, category codes and missing cells, decided once at fit."""
