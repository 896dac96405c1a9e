@echo off
rem 6) train AMP (written by make_launchers.py)
call "%~dp0env.bat"
if errorlevel 1 exit /b 1
"%DFL_PYTHON_EXE%" "%DFL_ROOT%\main.py" train --training-data-src-dir "%DFL_WORKSPACE%\data_src\aligned" --training-data-dst-dir "%DFL_WORKSPACE%\data_dst\aligned" --pretraining-data-dir "%DFL_PRETRAIN_FACES%" --model-dir "%DFL_WORKSPACE%\model" --model AMP %*
set DFL_EXIT=%errorlevel%
:end
if not defined DFL_NO_PAUSE pause
exit /b %DFL_EXIT%
